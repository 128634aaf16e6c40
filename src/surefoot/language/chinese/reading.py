"""What a reader of a log leaves out, and what it makes of it."""

__all__ = ["READING"]

READING = {
    "While reading: {what}": "读取时：{what}",
    "lines longer than {most:,} characters were cut there: {count}": "超过 {most:,} 个字符的行在该处截断：{count} 行",
    "characters that are not {encoding} were replaced: {count}": "不是 {encoding} 的字符已替换：{count} 个",
    "it ends in the middle, as while it is written; it was read up to there": (
        "文件在中途结束，像是仍在写入；读到此处为止"
    ),
    "lines with another number of cells than the header, what is missing being blank: {count}": (
        "单元格数与表头不同的行，缺少的按空白处理：{count} 行"
    ),
    "lines that are no JSON objects were left out: {count}": "不是 JSON 对象的行已略去：{count} 行",
    "it has more than {most:,} columns; those after them were left out": "多于 {most:,} 列，其后的列已略去",
    "it holds {count} trainings one after another; the last one is judged": (
        "其中先后有 {count} 次训练；判断的是最后一次"
    ),
    "places where it counts from the beginning again while the loss goes on where it stood, which were counted on: "
    "{count}": "从头重新计数、而损失接着原处继续的地方有 {count} 处，已接着往下计数",
    "not counted as {reference} is, and placed by the time at which they were written: {columns}": (
        "计数方式与 {reference} 不同，已按写入时间对齐：{columns}"
    ),
    "no steps were logged; values are counted in the order in which they were written": (
        "没有记录步数；数值按写入的先后计数"
    ),
    "the validation loss was logged once, {value:.3g}; look more often": (
        "验证损失只记录了一次，为 {value:.3g}；请多验证几次"
    ),
    "{role} is {column}; not read, as it can be one: {others}": "{role} 取自 {column}；只能取一列，未读取：{others}",
    "shares of wrong answers were read as losses, since none is known: {columns}": (
        "没有已知的损失，错误率被当作损失读取：{columns}"
    ),
    "shorter than the longest column, and taken to be evenly apart: {columns}": (
        "比最长的一列短，按等间隔处理：{columns}"
    ),
    "event files beside them were not read: {count}": "旁边的事件文件未读取：{count} 个",
    "lines of the journal that could not be read were left out: {count}": "日志中无法读取的行已略去：{count} 行",
    "it holds more than {most:,} runs; those after them were left out": "运行超过 {most:,} 个，其后的已略去",
    "no log: {why}": "不是日志：{why}",
    "{file} is damaged and was read up to there": "{file} 已损坏，读到损坏处为止",
    "{file} ends in the middle of a record, as while it is written; it was read up to there": (
        "{file} 在一条记录的中间结束，像是仍在写入；读到此处为止"
    ),
    "trials that say what cannot be were left out: {count}": "内容不可能成立的试验已略去：{count} 个",
    "cells of {column} that say no number were left out: {count}": "{column} 列中不是数字的单元格已略去：{count} 个",
    "{role} is the sum of several columns: {terms}": "{role} 是几列之和：{terms}",
    "places where it goes back in time, what was written last standing, as after a resume: {count}": (
        "时间倒退之处，像是中断后继续训练，以最后写入的为准：{count} 处"
    ),
    "rewards are not judged, and the loss of a policy says little of them": (
        "奖励不作评判，而策略的损失说明不了奖励的好坏"
    ),
    "no validation loss is known, and these were not read: {columns}; one of them may be it: "
    "--column validation_loss=NAME": (
        "没有认出验证损失，而这些列没有读取：{columns}；其中之一可能就是：--column validation_loss=列名"
    ),
}
