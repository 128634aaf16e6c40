"""The page of a probe."""

__all__ = ["PROBE"]

PROBE = {
    "no suggestion": "没有建议",
    "no learning rate": "没有学习率",
    "learning rate {rate}": "学习率 {rate}",
    "no batch size": "没有批大小",
    "{trainings} trainings": "{trainings} 次训练",
    "{samples:,} samples, {time}": "{samples:,} 个样本，{time}",
    "not measured": "未测量",
    "A probe measures; it trains no model. Seed {seed}.": "探测只做测量，不训练模型。随机种子 {seed}。",
    "Command": "命令",
    "Nothing to show": "没有可显示的内容",
    "Every batch size": "每一种批大小",
    "What was measured": "测量了什么",
    "The recipe that was probed": "被探测的配方",
    "Learning-rate range test": "学习率范围测试",
    "Speed and memory": "速度与内存",
    "What each batch size would take": "各种批大小所需的代价",
    "One step at each rate; the band is what this alone suggests, the dotted line where it diverged.": (
        "每个学习率走一步；色带是仅凭此测试建议的范围，点线是发散之处。"
    ),
    "A batch far below it wastes steps, one far above it wastes samples. Bars hold it with 90 % confidence; "
    "one that reaches the edge is open there.": (
        "批大小远低于它会浪费步数，远高于它会浪费样本。横条以 90 % 的置信度包含它；触到边缘的一端未知。"
    ),
    "Steps that were really run, and the law through them; beyond the knee (star) a larger batch is hardly "
    "faster, and the diamond is the largest that was run.": (
        "实际跑过的步，以及据此拟合的规律；过了拐点（星号），更大的批几乎不会更快；菱形是跑过的最大批。"
    ),
    "To reach the same loss, by batch size and, below it, learning rate. The star is suggested; hollow "
    "marks are batch sizes that were not run.": (
        "达到同样损失所需的代价，标注为批大小，下方是学习率。星号为建议值；空心标记是没有跑过的批大小。"
    ),
}
