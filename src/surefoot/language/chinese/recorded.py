"""Sentences that the engine writes into records, with their fields; they are recognised there when a page is made.

A field called ``name``, ``reason`` or ``kept`` may hold a sentence that is told again in its turn; any other holds one
word or number.
"""

__all__ = ["RECORDED"]

_PURPOSES = {
    "run {number}": "第 {number} 次训练",
    "where the probes and the usual rates point": "探测结果和常用学习率所指之处",
    "the highest rate so far was the best: {name}": "迄今最高的学习率最好：{name}",
    "the lowest rate so far was the best: {name}": "迄今最低的学习率最好：{name}",
    "no run so far learned more than a constant answer: longer, at a usual rate": (
        "迄今没有一次训练学到比固定答案更多的东西：延长训练，用常用学习率"
    ),
    "{name} at a lower rate, since short runs err upwards": "{name}，学习率调低，因为短训练往往偏高",
    "{name} with more decay": "{name}，加大权重衰减",
    "{name}, slower and more decayed": "{name}，学习率调低且权重衰减加大",
    "{name} at a higher rate": "{name}，学习率调高",
    "{name} at a lower rate": "{name}，学习率调低",
    "{name} did not fit in memory": "{name}超出内存",
    "{name} diverged": "{name}发散了",
    "a batch of {size} does not fit in memory": "批大小 {size} 超出内存",
    "everything so far diverged": "迄今全部发散",
    "{name}, brought to a longer horizon": "{name}，换算到更长的训练",
    "{name}, brought to what is left": "{name}，换算到剩余的预算",
    "drawn towards its neighbours as far as they could not be told apart": "并按与相邻训练难分高下的程度向它们靠拢",
}

_ENDINGS = {
    "the {name} is {loss} at epoch {epoch}": "{name}在第 {epoch} 轮为 {loss}",
    "stopping.max_share = {share} of the horizon is reached": "已达到完整时长的 stopping.max_share = {share}",
    "stopping.max_steps = {steps} is reached": "已达到 stopping.max_steps = {steps}",
    "stopping.max_seconds = {seconds} is reached": "已达到 stopping.max_seconds = {seconds}",
    "converged: the training loss went from {before} to {now} in one look": (
        "已收敛：两次评估之间训练损失从 {before} 到 {now}"
    ),
    "{name} did not improve after epoch {epoch}": "{name} 在第 {epoch} 轮之后没有再改善",
    "asked to stop": "被要求停止",
    "the loss became {loss} at epoch {epoch}, rate {rate}": "损失在第 {epoch} 轮变为 {loss}，当时学习率为 {rate}",
    "the loss rose from {before} to {loss} at epoch {epoch}, rate {rate}": (
        "损失在第 {epoch} 轮从 {before} 升到 {loss}，当时学习率为 {rate}"
    ),
    "fp16 ends at 65,504, bf16 does not": "fp16 最大只到 65,504，bf16 没有这个限制",
    "the gradients are not finite in fp16, even with a loss multiplied by {factor}": (
        "即使把损失乘以 {factor}，fp16 的梯度仍不是有限值"
    ),
    "asked to stop before the end": "在结束之前被要求停止",
    "this is the best so far": "这是目前最好的结果",
    "every one of {count} runs failed, {kept}; the last one: {reason}": (
        "全部 {count} 次训练都失败了，{kept}；最后一次：{reason}"
    ),
    "the run failed, {kept}: {reason}": "这次训练失败了，{kept}：{reason}",
    "the model is from before it": "模型取自失败之前",
    "no model is usable": "没有可用的模型",
    "the time was spent before any run reached a usable model; allow more": (
        "还没有任何训练得到可用的模型，时间就用完了；请给更多时间"
    ),
    "the time was spent before the ladder was climbed": "训练阶梯还没有走完，时间就用完了",
    "it was stopped before its end; the same command with --resume goes on": (
        "在结束之前停止了；同样的命令加上 --resume 可以继续"
    ),
    "made from the records of its runs: range tests and runs in progress are not in it": (
        "由各次训练的记录生成：不含范围测试和尚未结束的训练"
    ),
}

_MOVES = {
    "{name}: batch {before} to {after}": "{name}：批大小从 {before} 到 {after}",
    "noise scale {low} to {high}": "噪声尺度在 {low} 到 {high} 之间",
    "noise scale at least {low}": "噪声尺度至少为 {low}",
    "no improvement on {best} for {waited} looks": "连续 {waited} 次评估没有超过 {best}",
    "a sample takes {ratio} times as long at batch {large} as at {small}: {reason}": (
        "批大小为 {large} 时每个样本的用时是批大小为 {small} 时的 {ratio} 倍：{reason}"
    ),
    "larger batches save time here": "这里更大的批能省时间",
    "larger batches save steps here, but hardly any time": "这里更大的批能省步数，但几乎不省时间",
    "the batch stayed at {size}: nothing that was measured asked for another size": (
        "批大小一直是 {size}：测得的结果没有要求改变批大小"
    ),
    "no coupling": "不联动",
    "linear rule": "线性规则",
    "square-root rule": "平方根规则",
    "AdaScale's gain": "AdaScale 增益",
    "{name} for a batch {ratio} times as large": "{name}，批大小变为 {ratio} 倍",
    "{reason}, counted up to the noise scale of {scale}": "{reason}，只计到噪声尺度 {scale}",
    "{name} would give {rate}, past the highest stable rate": "按{name}应为 {rate}，超过了最高的稳定学习率",
    "the recipe's belongs to {size}": "配方的设置对应批大小 {size}",
    "as the recipe has it": "按配方所定",
    "no better than {best} for {length}": "在 {length} 的长度内没有超过 {best}",
    "{reason} of the horizon": "{reason}（以完整时长为单位）",
    "stalled at the floor of {floor}": "停滞在下限 {floor}",
    "converged at {best}; a raise begins": "收敛于 {best}；开始升高",
    "{share} % of the raise": "升高过程的 {share}%",
    "the raise is complete": "升高完成",
    "keeps rate × decay the same for every sample": "使每个样本的学习率 × 权重衰减保持不变",
    "remembers as many samples as before": "记住与之前一样多的样本",
    "follows the size of the noise in the gradient": "跟随梯度中噪声的大小",
    "{before} rows at once do not fit in memory": "一次 {before} 个样本超出内存",
    "the step was repeated": "这一步已重做",
    "a gradient was not finite; the step was skipped": "梯度不是有限值；跳过了这一步",
}

_NOTES = {
    "1 training": "1 次训练",
    "{count} trainings": "{count} 次训练",
    "{count} seconds": "{count} 秒",
    "a time budget buys at most {count} trainings": "时间预算最多可换 {count} 次训练",
    "the search begins at the recipe's learning rate, {rate}": "搜索从配方的学习率 {rate} 开始",
    "a range test would have cost too much": "范围测试代价太高",
    "{name}: {reason}; its rates start from a prior, {rate}": "{name}：{reason}；其学习率从先验值 {rate} 开始",
    "searched by {searcher}: nothing was probed": "由 {searcher} 搜索：没有做探测",
    "trained by {count} processes, which shared every batch": "由 {count} 个进程共同训练，每一批都由它们分担",
    "the model builder cannot be found by name from another process: load with sf.load(..., model=build)": (
        "其他进程无法按名称找到模型的构造函数：请用 sf.load(..., model=build) 加载"
    ),
    "so short a training can pay for no probe: give more epochs": "训练太短，不够做任何探测：请增加轮数",
    "not even the smallest batch fits in memory": "连最小的批也超出内存",
    "not even a single row fits in memory": "连一个样本也超出内存",
    "{name} do not pay for {steps} steps of {rows} rows": "{name}不够 {steps} 步、每步 {rows} 个样本的开销",
    "{count} samples": "{count} 个样本",
    "no range test: it takes {samples} samples, and a probe of a training of {whole} may take {allowed}": (
        "没有做范围测试：它需要 {samples} 个样本，而样本总数为 {whole} 的训练，其探测最多可用 {allowed} 个"
    ),
    "within a tenth of the shortest predicted time": "与最短的预计用时相差不到十分之一",
    "the knee of the throughput; the noise scale is not known": "吞吐量的拐点；噪声尺度未知",
    "{count} looks are too few, {fewest} are the least": "{count} 次测量太少，至少需要 {fewest} 次",
    "the gradient cannot be told from its noise": "梯度与其噪声无法区分",
    "the usual rate of this optimizer": "该优化器常用的学习率",
    "the range test": "范围测试",
    "times {factor} from a batch of {before} to {after}": "从批大小 {before} 换到 {after}，乘以 {factor}",
    "not raised beyond {rate}, above which it may be unstable": "不超过 {rate}，再高可能不稳定",
    "Σ ηλ = {sum} over the training": "整个训练的 Σ ηλ = {sum}",
    "it depends on the learning rate": "取决于学习率",
    "learning rate and decay are for the recipe's batch of {size}": "学习率和权重衰减对应配方的批大小 {size}",
    "stopped before everything was measured": "在测完之前停止",
    "no short trainings: they would have cost too much": "没有做短训练：代价太高",
    "no sharpness: it would have cost too much": "没有测量锐度：代价太高",
    "stopped before they ended": "在结束之前停止",
    "{rate} ends lowest": "{rate} 的最终损失最低",
    "and no faster one was tried": "没有试过更高的",
    "and no slower one was tried": "没有试过更低的",
    "the range test {rate}": "范围测试 {rate}",
    "short trainings {rate}": "短训练 {rate}",
    "the usual rate of this optimizer {rate}": "该优化器常用的学习率 {rate}",
    "the loss left at every rate": "在每个学习率下损失都发散",
    "only {count} steps could be taken": "只能更新 {count} 步",
    "the loss never fell by more than its own noise": "损失的下降从未超过其自身的噪声",
    "the loss left at once": "损失立刻发散",
    "the loss was not finite at once": "损失一开始就不是有限值",
    '"{column}" is left out: it has no values': "略去“{column}”：没有任何值",
    '"{column}" is left out: it only numbers the rows': "略去“{column}”：它只是行号",
    '"{column}" is left out: it is the same in every training row': "略去“{column}”：它在每一行训练数据中都相同",
    '"{column}" is left out: {different} different texts in {rows} rows': (
        "略去“{column}”：{rows} 行中有 {different} 种不同的文本"
    ),
    '"{column}" lacks {count} values: the mean stands in, with a flag beside it': (
        "“{column}”缺 {count} 个值：以平均值代替，并另加一个标记"
    ),
    '"{column}" is read as {reason}': "“{column}”按{reason}处理",
    "a number (regression)": "数值（回归）",
    "{count} classes": "{count} 个类别",
}

RECORDED: dict[str, str] = {**_PURPOSES, **_ENDINGS, **_MOVES, **_NOTES}
