"""Verdicts, their evidence and advice."""

__all__ = ["VERDICTS"]

_NAMES = {
    "diverged": "发散",
    "overfitting": "过拟合",
    "getting worse": "越训练越差",
    "not converged": "尚未收敛",
    "learned nothing": "什么也没学到",
    "learned almost nothing": "几乎没学到东西",
    "held up by noise": "受梯度噪声所限",
    "spikes": "损失尖峰",
    "validation better than training": "验证损失低于训练损失",
    "validation too small to tell": "验证集太小，无法判断",
    "validation set small": "验证集偏小",
    "accuracy stands still": "准确率停滞不动",
    "gradients vanished": "梯度消失",
    "gradients explode": "梯度爆炸",
    "learning rate too high": "学习率过高",
    "learning rate too low": "学习率过低",
    "too short to tell": "记录太短，无法判断",
    "nothing wrong": "没有问题",
    "out of memory": "内存不足",
    "best at the edge": "最优值落在范围边缘",
    "two recipes cannot be told apart": "两个配方分不出高下",
    "parameter does not matter": "该参数无关紧要",
    "many trials failed": "大量试验失败",
    "too few trials to tell": "试验太少，无法判断",
    "certain": "确定",
    "likely": "很可能",
    "possible": "有可能",
    "{verdict} ({certainty})": "{verdict}（{certainty}）",
}

_PLACES = {
    "epoch {number}": "第 {number} 轮",
    "step {number}": "第 {number} 步",
    "row {number}": "第 {number} 行",
    "{factor:g} times": "{factor:g} 倍",
    "{count:d} times": "{count:d} 次",
    "once": "一次",
    "1 run": "1 次训练",
    "{count} runs": "{count} 次训练",
    "training loss": "训练损失",
    "validation loss": "验证损失",
    "validation error": "验证错误率",
}

_COURSE = {
    "{points} points of a loss, and a verdict needs {fewest}": "损失只有 {points} 个点，至少要 {fewest} 个才能判断",
    "log the loss more often, or train longer": "更频繁地记录损失，或延长训练",
    "the {loss} fell from {first:.3g} to {last:.3g} by {place} and was still falling; with {points} points there is no "
    "saying for how long": (
        "到{place}，{loss}从 {first:.3g} 降到 {last:.3g}，仍在下降；只有 {points} 个点，无法判断还会降多久"
    ),
    "train longer": "延长训练",
    "the {loss} fell from {first:.3g} to {last:.3g} by {place}, its lowest was {best:.3g}, and it levelled out": (
        "到{place}，{loss}从 {first:.3g} 降到 {last:.3g}，最低为 {best:.3g}，已趋于平稳"
    ),
    "use the model": "可以使用这个模型",
    "only accuracies were logged, and verdicts are read off losses": "只记录了准确率，而判断是从损失中得出的",
    "log the losses of both parts too: they show sooner where a training goes": (
        "请同时记录训练损失和验证损失：它们更早显示训练的走向"
    ),
    "look at the validation rows more often: in so few looks overfitting is not seen": (
        "请更频繁地评估验证集：评估次数这么少，看不出过拟合"
    ),
    "log a validation loss too: without one, overfitting is not seen": "请同时记录验证损失：没有它就看不出过拟合",
    "the validation loss was lowest, {least:.3g}, at {place} and rose to {end:.3g} ({rise} more) while the training "
    "loss fell from {then:.3g} to {last:.3g}; going on took {wasted} of the training": (
        "验证损失在{place}最低，为 {least:.3g}，之后升到 {end:.3g}（高出 {rise}），同时训练损失从 {then:.3g} 降到 "
        "{last:.3g}；此后的训练占了全程的 {wasted}"
    ),
    "keep the weights of {place} or stop there; to gain from more training, add data or augmentation, or raise weight "
    "decay or dropout (try 3 times as much)": (
        "保留{place}的权重，或训练到那里为止；若想从更多训练中得益，请增加数据或数据增强，"
        "或加大权重衰减或 dropout（可试 3 倍）"
    ),
    "it never got clearly below its first value, so nothing shows that anything was learned for other rows: look "
    "whether labels belong to their rows, how these were split and prepared, and what the loss was before the first "
    "step; if it was higher then, keep the weights of {place}, and add data or raise weight decay or dropout": (
        "它从未明显低于第一个值，因此看不出学到了对其他数据有用的东西：请检查标签与样本是否对应、数据是怎样划分和预处理的，"
        "以及第一步之前的损失是多少；若那时更高，就保留{place}的权重，并增加数据，或加大权重衰减或 dropout"
    ),
    "no training loss was logged": "没有记录训练损失",
    "the training loss did not fall either": "训练损失也没有下降",
    "the validation loss was lowest, {least:.3g}, at {place} and is {end:.3g} now ({rise} more); {beside}": (
        "验证损失在{place}最低，为 {least:.3g}，现在是 {end:.3g}（高出 {rise}）；{beside}"
    ),
    "keep the weights of {place}; log the training loss too: if it falls on, this is overfitting, else try a third of "
    "the learning rate": (
        "保留{place}的权重；请同时记录训练损失：如果它继续下降，就是过拟合，否则把学习率降为三分之一再试"
    ),
    "keep the weights of {place}; train again with a third of the learning rate, or let it decay from there on": (
        "保留{place}的权重；把学习率降为三分之一重新训练，或从那里开始让学习率衰减"
    ),
    "until {place} the {loss} went from {first:.4g} to {last:.4g}, at best {share} down": (
        "到{place}为止，{loss}从 {first:.4g} 变为 {last:.4g}，最多只下降了 {share}"
    ),
    "it falls steadily and slowly: raise the learning rate 10 times, and on": (
        "它在缓慢而稳定地下降：把学习率提高到 10 倍，不够再提高"
    ),
    "lower the learning rate 10 times; if that changes nothing, see whether the inputs are scaled and belong to their "
    "targets, and whether gradients reach the first layer": (
        "把学习率降为十分之一；若毫无变化，请检查输入是否经过缩放、是否与目标对应，以及梯度是否传到第一层"
    ),
    "the {loss} was still falling at the end, {end}; carried on by the curve that fits its last two thirds it would "
    "be {expected:.3g} instead of {last:.3g} at {later}": (
        "到最后（{end}）{loss}仍在下降；按拟合后三分之二的曲线外推，到{later}它将是 {expected:.3g}，而现在是 {last:.3g}"
    ),
    "train half as long again with the schedule stretched to the new end, or raise the learning rate 2 to 3 times": (
        "再多训练一半的时间，并把学习率调度拉长到新的终点；或把学习率提高到 2 至 3 倍"
    ),
    "train half as long again with the schedule stretched to the new end: the rate had come down, so more of the same "
    "adds little": "再多训练一半的时间，并把学习率调度拉长到新的终点：学习率已经降得很低，照原样接着训练收效甚微",
    "the {loss} fell for as long as the learning rate was up: from {middle:.3g} at {place} to {last:.3g}, as much as "
    "the rate that was left could bring": (
        "在学习率降下来之前，{loss}一直在下降：从{place}的 {middle:.3g} 降到 {last:.3g}，剩余的学习率也只能带来这么多"
    ),
    "from {place} on the training loss stays level and jumps by {noise:.2g} from point to point, {share} of all that "
    "it fell": "从{place}起训练损失不再下降，相邻点之间跳动 {noise:.2g}，为其总降幅的 {share}",
    "let the learning rate decay to a tenth over the last third, or grow the batch 4 times there instead": (
        "让学习率在最后三分之一的训练中衰减到十分之一，或改为在那里把批大小增大到 4 倍"
    ),
}

_DIVERGENCE = {
    "not one of its {count} losses is a finite number": "{count} 个损失值中没有一个是有限数",
    "the learning rate may be far too high, since the first epoch has many steps: lower it 10 times and log the loss "
    "of the first steps; if that is no number either, look for NaN in the data, in the first weights and in the loss": (
        "学习率可能高得多（第一轮已有许多步）：先降为十分之一，并记录最初几步的损失；若那也不是有限数，"
        "再到数据、初始权重和损失函数里查找 NaN"
    ),
    "look for NaN in the data, in the first weights and in the loss itself before the learning rate": (
        "先在数据、初始权重和损失函数里查找 NaN，再考虑学习率"
    ),
    "the {loss} is no finite number from {place} on; it was {before:.3g} before": (
        "从{place}起{loss}不再是有限数；此前为 {before:.3g}"
    ),
    "the {loss} began at {start:.3g}, fell to {best:.3g} by {bottom}, and is above its start since {place}: "
    "{last:.3g} now": ("{loss}起初为 {start:.3g}，到{bottom}降到 {best:.3g}，从{place}起高于起点：现在为 {last:.3g}"),
    "go back to the last weights before it with a learning rate 3 times lower{known}; if it happens in the first tenth "
    "of the training, warm the rate up, and clip the gradient's norm": (
        "回到发散前最后保存的权重，把学习率降为三分之一{known}；若发生在训练的前十分之一，请加上学习率预热（warmup），并裁剪梯度范数"
    ),
    ", below {rate:.3g}, which it had there": "，即低于当时的 {rate:.3g}",
    "the {loss} jumped {times} and came back, at {place} to {high:.3g} from {before:.3g}": (
        "{loss}突然跳高又回落（{times}），最高在{place}：从 {before:.3g} 跳到 {high:.3g}"
    ),
    "clip the gradient's norm near its usual size, or lower the rate by a third; look at those rows": (
        "把梯度范数裁剪到平常大小附近，或把学习率降低三分之一；检查当时用到的样本"
    ),
}

_DOUBTS = {
    "over the second half the validation loss lies below the training loss and falls away from it, at the end "
    "{validation:.3g} against {training:.3g}": (
        "后半程验证损失一直低于训练损失，而且差距越拉越大，最后为 {validation:.3g} 对 {training:.3g}"
    ),
    "dropout or augmentation can put it below, but not further and further: look whether the two were swapped, or "
    "validation rows are among the training rows": (
        "dropout 或数据增强可以使它偏低，但不会越来越低：请检查两者是否颠倒，或验证数据是否混进了训练数据"
    ),
    "the validation loss jumps by {noise:.2g} from point to point, {share} of all that it moved, and the training loss "
    "is calmer": "验证损失相邻点之间跳动 {noise:.2g}，为其总变化的 {share}，而训练损失平稳得多",
    "see whether it calms down where the learning rate comes down, then it was the rate; if not, hold out 4 times as "
    "many rows, or choose by the mean of several neighbouring points": (
        "看学习率降下来后它是否平稳：若平稳，原因就在学习率；否则把验证集扩大到 4 倍，或按相邻几个点的平均值来选择"
    ),
    "hold out 4 times as many rows, or choose by the mean of several neighbouring points": (
        "把验证集扩大到 4 倍，或按相邻几个点的平均值来选择"
    ),
    "the loss fell from {first:.3g} to {best:.3g} while the accuracy stayed at {accuracy:.4g}: as if one class were "
    "said for every row": (
        "损失从 {first:.3g} 降到 {best:.3g}，准确率却一直是 {accuracy:.4g}：像是把所有样本都预测成同一类"
    ),
    "since {place} or before the accuracy stays at {accuracy:.4g}, and the {loss}, {last:.3g}, is no lower than where "
    "the share of one class is all that is known ({entropy:.2g}): as if one class were said for every row": (
        "最迟从{place}起准确率一直是 {accuracy:.4g}，{loss} {last:.3g} 也不低于只凭该类比例所能达到的值"
        "（{entropy:.2g}）：像是把所有样本都预测成同一类"
    ),
    "look at the shares of the classes; judge by balanced accuracy or AUC, and move the threshold": (
        "检查各类别所占的比例；改用平衡准确率或 AUC 来评判，并调整阈值"
    ),
    "the gradient's norm is {end:.2g} at {place}; it was {start:.2g} at the beginning": (
        "梯度范数在{place}为 {end:.2g}；起初为 {start:.2g}"
    ),
    "lower the learning rate; look for units that never answer and saturated outputs": (
        "降低学习率；检查有没有从不激活的神经元和饱和的输出"
    ),
    "the gradient's norm grew from {start:.2g} to {end:.2g} by {place}": (
        "到{place}，梯度范数从 {start:.2g} 增大到 {end:.2g}"
    ),
    "clip it near its first size, and lower the learning rate 3 times": (
        "把梯度范数裁剪到起初的大小附近，并把学习率降为三分之一"
    ),
}

_RATE = {
    "no training loss is finite": "没有一个训练损失是有限数",
    "the training loss is not finite any more": "训练损失不再是有限数",
    "the training loss ends above its start": "训练损失最后高于起点",
    "the training loss falls steadily, by less than a hundredth of its start": (
        "训练损失稳定下降，但降幅不到起点的百分之一"
    ),
    "the training loss gained less than a hundredth of its start, and does not fall steadily": (
        "训练损失的降幅不到起点的百分之一，而且下降得不稳定"
    ),
    "the training loss was above its start on the way": "训练损失中途曾高于起点",
    "the {loss} ends further above its lowest than it ever fell": "{loss}最后比最低点高出的量超过了它的总降幅",
    "the {loss} ends {share} of its gain above its lowest": "{loss}最后比最低点高出其降幅的 {share}",
    "{share} of what the training loss gained came with the second half of the rate": (
        "训练损失的降幅有 {share} 来自学习率总量的后一半"
    ),
    "the {loss} goes up and down by {share} of its gain in the second half": (
        "后半程{loss}起伏不定，累计为其降幅的 {share}"
    ),
    "from point to point the losses jump by {share} of all that they fell": (
        "损失在相邻记录之间跳动，幅度为总降幅的 {share}"
    ),
    "{share} of what the training loss gained came with its first look": "训练损失的降幅有 {share} 来自第一次记录",
    "{why}; {chance} likely, as sweeps over the rate say": "{why}；按学习率扫描的统计，可能性为 {chance}",
    "the loss still falls, by less than it goes up and down": "损失仍在下降，但降幅小于其上下起伏",
    "only {share} of the gain of the training loss came with its first looks": (
        "训练损失的降幅只有 {share} 来自最初几次记录"
    ),
    "the loss fell fast at first, then levelled out": "损失先快速下降，然后趋于平稳",
    "try 3 times the learning rate; a range test finds its upper end: surefoot probe": (
        "试试把学习率提高到 3 倍；范围测试可以找到它的上限：surefoot probe"
    ),
    "try a third of the learning rate{known}; a range test finds its upper end: surefoot probe": (
        "试试把学习率降为三分之一{known}；范围测试可以找到它的上限：surefoot probe"
    ),
    ", below {rate:.3g}": "，即低于 {rate:.3g}",
}

_TRIALS = {
    "{count} of {all} trials came to an end with a finite value": "{all} 次试验中有 {count} 次以有限值完成",
    "a verdict needs {needed}": "至少要 {needed} 次才能判断",
    "{count} trials; the best, {best:.4g}, lies inside of all ranges": (
        "共 {count} 次试验；最好的为 {best:.4g}，落在所有范围之内"
    ),
    "train it once more with another seed before you rely on it": "采用之前，先换一个随机种子再训练一次",
    "{count} of {all} failed or gave no finite value": "{all} 次中有 {count} 次失败或没有给出有限值",
    "see whether they share a range, as the highest rates do; take it out, or bound it": (
        "看它们是否都落在同一段范围内（例如学习率最高的那一段）；把这一段去掉，或设上限"
    ),
    "the best trial has {name} = {value:.4g}, at the upper end of {low:.4g} to {high:.4g}": (
        "最好的试验 {name} = {value:.4g}，在 {low:.4g} 到 {high:.4g} 的上端"
    ),
    "the best trial has {name} = {value:.4g}, at the lower end of {low:.4g} to {high:.4g}": (
        "最好的试验 {name} = {value:.4g}，在 {low:.4g} 到 {high:.4g} 的下端"
    ),
    "search on to {further:.3g}, if that has a meaning": "若这样的取值有意义，把搜索范围扩展到 {further:.3g}",
    "trials {first} and {second} end at {best:.5g} and {next:.5g}, {share} of what lies between the best and the "
    "middle trial": (
        "试验 {first} 和 {second} 的结果为 {best:.5g} 和 {next:.5g}，相差只有最好试验与中位试验之差的 {share}"
    ),
    "train both with three seeds, or take the cheaper one": "两者各用三个随机种子训练，或选代价较低的那个",
    "{name} has {share} of the say in which trials are among the best": ("试验能否名列前茅，{name} 的影响只占 {share}"),
    "fix {name} at {value} and spend its trials on the others": "把 {name} 固定为 {value}，把试验留给其他参数",
    "its default": "默认值",
}

_STUDY = {
    "{runs}: none diverged, {validation}": "{runs}：没有发散，{validation}",
    "and no validation loss turned upwards for good": "也没有验证损失持续回升",
    "and no row was held out that could say more": "没有留出可供进一步判断的数据",
    "the best weights were kept; train for fewer epochs, raise optimizer.weight_decay, or bring more data": (
        "已保留最好的权重；可减少训练轮数、提高 optimizer.weight_decay，或增加数据"
    ),
    "ask for a batch.size below {size}": "把 batch.size 设为小于 {size}",
    "keep {optimizer} below a learning rate of {rate:.3g} on this task": (
        "在这个任务上，让 {optimizer} 的学习率低于 {rate:.3g}"
    ),
    "no rate was low enough, so the rate is not the cause: look for NaN in the loss itself and in the data": (
        "学习率再低也不行，可见原因不在学习率：请在损失函数和数据中查找 NaN"
    ),
    "{runs} with {optimizer} diverged; at the lowest rate, {rate:.3g}: {reason}": (
        "{optimizer} 有 {runs}发散；其中学习率最低的为 {rate:.3g}：{reason}"
    ),
    "the validation loss is {reached:.3g}; always giving the same answer has {guess:.3g}": (
        "验证损失为 {reached:.3g}；始终给出同一个答案也有 {guess:.3g}"
    ),
    "train longer, look for inputs that do not belong to their targets, or accept that they tell little": (
        "延长训练；检查输入是否与目标对应；或接受这些输入本来就包含不了多少信息"
    ),
    "{rows} rows decided between {runs}": "{rows} 个验证样本要在 {runs}之间作出选择",
    "read the winner as one of several equals, and its validation loss as optimistic": (
        "请把胜出的配方看作几个难分高下的配方之一，它的验证损失偏乐观"
    ),
}

VERDICTS: dict[str, str] = {
    **_NAMES,
    **_PLACES,
    **_COURSE,
    **_DIVERGENCE,
    **_DOUBTS,
    **_RATE,
    **_TRIALS,
    **_STUDY,
}
