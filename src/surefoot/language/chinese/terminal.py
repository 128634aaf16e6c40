"""What the terminal prints while something runs and when it ended."""

__all__ = ["TERMINAL"]

_ENDING = {
    "Recipe": "配方",
    "Price": "代价",
    "Status": "状态",
    "Expected": "预计",
    "Moved": "变动",
    "Note": "说明",
    "Finding": "诊断",
    "Model": "模型",
    "Report": "报告",
    "Resume": "续训",
    "{price:.2f} trainings, {seconds:.1f} s": "{price:.2f} 次训练，{seconds:.1f} 秒",
    " (allowed: {budget})": "（预算：{budget}）",
    " ({run})": "（{run}）",
    "epoch {at:.1f}: {what}": "第 {at:.1f} 轮：{what}",
    "{count} times; the last {last}, and all in the report:": "共 {count} 次；最后 {last} 次如下，全部见报告：",
    "in the end: {remark}": "最后：{remark}",
    "{name} {before:.4g} to {after:.4g}: {reason}": "{name}从 {before:.4g} 变为 {after:.4g}：{reason}",
    "rows at once": "每次通过的样本数",
    "rate multiplied by": "学习率倍数",
    "after a blow-up, rate multiplied by": "发散后学习率系数",
    "{directory}   (in Python: sf.load({name!r}))": "{directory}   （Python 中：sf.load({name!r})）",
    "the same command with: --out {directory} --resume": "同样的命令加上 --out {directory} --resume",
}

_PROBE = {
    "Learning rate": "学习率",
    "Weight decay": "权重衰减",
    "Batch size": "批大小",
    "Wrote {path}": "已写入 {path}",
}

_RUNNING = {
    "Tuning {task}": "调参：{task}",
    "Training {task}": "训练：{task}",
    "Training {task} on all rows": "用全部数据训练：{task}",
    "Comparing recipes on {task}": "比较配方：{task}",
    "price {spent:.2f}": "代价 {spent:.2f}",
    "price {spent:.2f} of {allowed:g}": "代价 {spent:.2f} / {allowed:g}",
    "range test": "范围测试",
    "range test, {optimizer}": "范围测试，{optimizer}",
    "known": "已知",
    "learning rate near {rate:.2g}": "学习率约 {rate:.2g}",
    "share {stage}": "份额 {stage}",
    "rate": "学习率",
    "{optimizer}: best rate above {low:.2g}": "{optimizer}：最佳学习率高于 {low:.2g}",
    "{optimizer}: best rate below {high:.2g}": "{optimizer}：最佳学习率低于 {high:.2g}",
    "{optimizer}: best rate {low:.2g} to {high:.2g}": "{optimizer}：最佳学习率在 {low:.2g} 到 {high:.2g} 之间",
    "best {value:.4f}": "最优 {value:.4f}",
    ", goes on after {done:.0f} %": "，从 {done:.0f}% 处继续",
    "{what}: {optimizer} {rate:.2g}, batch {size}": "{what}：{optimizer} {rate:.2g}，批大小 {size}",
}

TERMINAL: dict[str, str] = {**_ENDING, **_PROBE, **_RUNNING}
