"""Verdicts that name a cause: units, gradients, beginnings, batches, parts of the data."""

__all__ = ["CAUSES"]

_NAMES = {
    "underfitting": "欠拟合",
    "does not generalise": "没有泛化",
    "dead units": "神经元死亡",
    "outputs too large at first": "初始输出过大",
    "warmup missing": "缺少学习率预热",
    "batch far below the noise": "批大小远小于噪声尺度",
    "batch far above the noise": "批大小远大于噪声尺度",
    "train and validation swapped": "训练集与验证集颠倒",
    "validation follows training": "验证损失与训练损失过于接近",
    "imbalance hidden by accuracy": "准确率掩盖类别不平衡",
    "inputs not scaled": "输入未标准化",
}

_TRAINING = {
    "the training loss levelled out at {end:.3g}, {share} of its first value, and the validation loss, {beside:.3g}, "
    "is no worse, so nothing was learned by heart; {how}": (
        "训练损失停在 {end:.3g}，为初始值的 {share}；验证损失为 {beside:.3g}，并不比它差，"
        "可见模型没有死记训练数据；{how}"
    ),
    "{wrong} of the answers are wrong": "{wrong} 的预测是错的",
    "answers of which {right} are right need not have more than {needed:.2g}": (
        "准确率达到 {right} 时，损失本不必高于 {needed:.2g}"
    ),
    "a tenth of the weight decay, then less dropout: the answers are right far more often than they are sure, so the "
    "outputs are kept small, which a model that is too small does not explain": (
        "把权重衰减降到十分之一，其次减少 dropout：答对的比例远高于给出的把握，说明输出被压得很小，而模型太小不会这样"
    ),
    "a model twice as wide, or a third of the weight decay and dropout; if both losses stay where they are, the inputs "
    "say no more about the targets": (
        "把模型加宽一倍，或把权重衰减和 dropout 降为三分之一；若两个损失仍然不变，说明输入中关于目标的信息只有这么多"
    ),
    "of the gradient that reaches {last}, {far:.2g} in the middle of the log, {first} gets {near:.2g}": (
        "记录中段，传到 {last} 的梯度为 {far:.2g}，而 {first} 只得到 {near:.2g}"
    ),
    "the first layers do not learn: use ReLU or GELU in place of sigmoid or tanh, first weights scaled to their inputs "
    "(Kaiming, Xavier), normalisation or skip connections, or fewer layers": (
        "前几层几乎没有学习：用 ReLU 或 GELU 代替 sigmoid 或 tanh，采用按输入数缩放的初始化（Kaiming、Xavier），"
        "加归一化或残差连接，或减少层数"
    ),
    "{share} of the units answer to no row at the end; they were {first} at first and half at {place}": (
        "最后有 {share} 的神经元对任何样本都不激活；起初为 {first}，到{place}达到一半"
    ),
    "lower the learning rate 3 times and warm it up, since a dead unit gets no gradient and stays dead; where they are "
    "dead from the start, look at the first biases and the scale of the inputs; leaky ReLU or GELU never die": (
        "把学习率降为三分之一并加预热（warmup），因为死亡的神经元得不到梯度，无法恢复；若一开始就死亡，"
        "请检查初始偏置和输入的尺度；leaky ReLU 或 GELU 不会死亡"
    ),
    "the {loss} is {first:.3g} at {place}, where {accuracy:.0%} are right: answers that sure of nothing would have "
    "about {usual:.2g}": (
        "{place}的{loss}为 {first:.3g}，而此时准确率为 {accuracy:.0%}：若预测不过分自信，损失应在 {usual:.2g} 左右"
    ),
    "standardise the inputs (mean 0, deviation 1); if they are, scale the first weights to their inputs (Kaiming, "
    "Xavier), and after that lower the learning rate 10 times": (
        "把输入标准化（均值 0、标准差 1）；若已如此，改用按输入数缩放的初始化（Kaiming、Xavier），"
        "仍不行再把学习率降为十分之一"
    ),
    "the learning rate begins at its largest, {rate:.3g}, and the training loss rose from {low:.3g} to {high:.3g} by "
    "{place}, in the first third": (
        "学习率一开始就是最大值 {rate:.3g}，而训练损失在训练的前三分之一里（到{place}）从 {low:.3g} 升到 {high:.3g}"
    ),
    "raise the rate from zero over the first 5 to 10 % of the training; if the loss still rises, lower the rate 3 "
    "times": "在训练的前 5% 到 10% 里让学习率从零升上来；若损失仍然上升，把学习率降为三分之一",
    "a batch of {batch:.0f} where the noise scale was {scale:.0f} and never below {least:.0f} in the first third: it "
    "takes about {times:.0f} times the fewest steps possible": (
        "批大小为 {batch:.0f}，而前三分之一里噪声尺度为 {scale:.0f}，从未低于 {least:.0f}："
        "步数约为所需最少步数的 {times:.0f} 倍"
    ),
    "grow the batch towards {target:.0f}, the rate with it (by its root for Adam, in proportion for SGD): surefoot "
    "rescale": "把批大小增大到 {target:.0f} 左右，学习率随之增大（Adam 按平方根，SGD 按比例）：surefoot rescale",
    "a batch of {batch:.0f} where the noise scale was {scale:.3g} in the first third: {share} of its rows were work "
    "without effect": "批大小为 {batch:.0f}，而前三分之一里噪声尺度为 {scale:.3g}：其中 {share} 的计算是白费的",
    "lower the batch towards {target:.0f}, for more steps from the same samples, with the rate lowered by the same "
    "rule: surefoot rescale": (
        "把批大小减小到 {target:.0f} 左右，用同样多的样本更新更多步，学习率按同一规则降低：surefoot rescale"
    ),
}

_DATA = {
    "the validation loss was {first:.3g} at first, never below {least:.3g} ({place}) and {last:.3g} in the end, while "
    "the training loss fell from {then:.3g} to {now:.3g}{accuracy}": (
        "验证损失起初为 {first:.3g}，最低也只到 {least:.3g}（{place}），最后为 {last:.3g}，"
        "而训练损失从 {then:.3g} 降到 {now:.3g}{accuracy}"
    ),
    "; an accuracy about {accuracy:.2g} is no better than a guess by the shares of the classes": (
        "；准确率约 {accuracy:.2g}，只按各类别的比例去猜也是这样"
    ),
    "look first whether the labels belong to their rows, how the rows were split, and whether validation rows are "
    "prepared as the training rows are; if all that is right, the inputs tell too little, or it takes more data, a "
    "smaller model or more weight decay": (
        "先检查标签与样本是否对应、数据是怎样划分的、验证数据的预处理是否与训练数据相同；若都没有问题，"
        "说明输入所含的信息太少，或需要更多数据、更小的模型或更大的权重衰减"
    ),
    "the validation loss begins above the training loss, {first:.3g} against {beside:.3g}, and ends below it, "
    "{last:.3g} against {training:.3g}: the other way round would be usual, since a mean over the first epoch lags "
    "behind": (
        "验证损失起初高于训练损失（{first:.3g} 对 {beside:.3g}），最后却低于它（{last:.3g} 对 {training:.3g}）："
        "通常正好相反，因为第一轮的平均值会滞后"
    ),
    "look where the two are measured and logged, and give each its own name": (
        "检查两者分别在哪里计算和记录，并更正名称"
    ),
    "the training loss fell to {training:.3g}, {share} of its first value, as where rows are known by heart, and the "
    "validation loss with it, to {validation:.3g}": (
        "训练损失降到 {training:.3g}，为初始值的 {share}，像是记住了训练数据，而验证损失也跟着降到 {validation:.3g}"
    ),
    "look for rows that are in both parts: copies, neighbours in time, rows of the same person; only a very easy task "
    "does this by itself": (
        "检查训练集和验证集里是否有相同的样本：重复样本、时间上相邻的样本、来自同一个人的样本；只有非常简单的任务才会自然如此"
    ),
    "all its accuracies are multiples of 1/{rows}, as of {rows} rows: one row is {share} of the accuracy": (
        "所有验证准确率都是 1/{rows} 的倍数，像是只有 {rows} 个样本：一个样本就占准确率的 {share}"
    ),
    "hold out several hundred rows, or judge by cross-validation": "留出几百个样本用于验证，或改用交叉验证来评判",
    "{rows} of the rows are right, but in the mean over classes {classes}: the rare ones are hardly found": (
        "准确率为 {rows}，但按类别平均只有 {classes}：稀有类别几乎没有识别出来"
    ),
    "judge by balanced accuracy, AUC or the loss; weigh the classes in the loss or move the threshold: surefoot fit "
    "--set loss.class_weights=balanced": (
        "改用平衡准确率、AUC 或损失来评判；在损失中给类别加权，或调整阈值："
        "surefoot fit --set loss.class_weights=balanced"
    ),
}

_STUDY = {
    "the root mean square of the training inputs is {scale:.3g}, and first weights are made for about 1": (
        "训练输入的均方根为 {scale:.3g}，而初始权重是按 1 左右设计的"
    ),
    "set data.standardize = true, or bring the inputs to mean 0 and deviation 1 yourself (pictures: divide by 255), "
    "unless the model does it first": (
        "设 data.standardize = true，或自行把输入变成均值 0、标准差 1（图像可除以 255），除非模型的第一步就会这样做"
    ),
    "{accuracy} of {rows} validation rows are right, and always saying the most frequent class has {largest}": (
        "在 {rows} 个验证样本上准确率为 {accuracy}，而始终预测最常见的类别就有 {largest}"
    ),
    "judge by the loss or a metric over classes; set loss.class_weights = balanced or data.balance = oversample, and "
    "move the threshold": (
        "改用损失或按类别计算的指标来评判；设 loss.class_weights = balanced 或 data.balance = oversample，并调整阈值"
    ),
    "weight decay pulls the weights back {decay:.0f} times over the training (rate × decay × steps), where 1 to 3 "
    "times was best on most tasks": (
        "整个训练中权重衰减把权重拉回 {decay:.0f} 倍（学习率 × 衰减 × 步数），而在多数任务上 1 到 3 倍最好"
    ),
    "try optimizer.weight_decay = {value:.2g}": "试试 optimizer.weight_decay = {value:.2g}",
    "the best run has {parameter} = {value:.4g}, at the upper end of {low:.4g} to {high:.4g}": (
        "最好的训练里 {parameter} = {value:.4g}，位于 {low:.4g} 到 {high:.4g} 的上端"
    ),
    "the best run has {parameter} = {value:.4g}, at the lower end of {low:.4g} to {high:.4g}": (
        "最好的训练里 {parameter} = {value:.4g}，位于 {low:.4g} 到 {high:.4g} 的下端"
    ),
    "{objective} is {first:.4g} and {second:.4g}; that the first is better can be believed to {share}; they differ in "
    "{keys}": "{objective} 分别为 {first:.4g} 和 {second:.4g}；前者更好的可信度为 {share}；两者的差别在于 {keys}",
    "nothing but chance": "只有随机性",
}

CAUSES = {**_NAMES, **_TRAINING, **_DATA, **_STUDY}
