"""The page of a probe."""

__all__ = ["PROBE"]

_PAGE = {
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
        "每个学习率更新一步；色带是仅凭此测试建议的范围，点线是发散时的学习率。"
    ),
    "A batch far below it wastes steps, one far above it wastes samples. Bars hold it with 90 % confidence; "
    "one that reaches the edge is open there.": (
        "批大小远小于它会浪费步数，远大于它则浪费样本。横条是 90% 置信区间；触到边缘的一端未知。"
    ),
    "Steps that were really run, and the law through them; beyond the knee (star) a larger batch is hardly "
    "faster, and the diamond is the largest that was run.": (
        "实际运行过的步，以及据此拟合的规律；过了拐点（星号），更大的批几乎不会更快；菱形是运行过的最大批。"
    ),
    "To reach the same loss, by batch size and, below it, learning rate. The star is suggested; hollow "
    "marks are batch sizes that were not run.": (
        "达到同样损失所需的代价，标注为批大小，下方是学习率。星号为建议值；空心标记是没有运行过的批大小。"
    ),
}

_MEASURED = {
    "Short runs": "短训练",
    "Noise scale": "噪声尺度",
    "Speed": "速度",
    "Sharpness": "锐度",
    "Divergence": "发散",
    "samples": "样本数",
    "predicted time": "预计用时",
    "was run": "是否运行",
    "yes": "是",
    "no": "否",
    "suggested": "建议",
    "choice": "选择",
    "at most {high}": "至多 {high}",
    "at least {low}": "至少 {low}",
    "{low} to {high}": "{low} 到 {high}",
    "{value} ({around})": "{value}（{around}）",
    ": ": "：",
    "now": "现在",
    "after {count:,} samples": "{count:,} 个样本之后",
    "{when}: not known": "{when}：未知",
    "{count} rows": "{count} 个样本",
    "no suggestion: {reason}": "没有建议：{reason}",
    "batch sizes could not be compared": "无法比较批大小",
    "{count} trainings of {steps} steps at peaks of {low} to {high}": (
        "{count} 次各 {steps} 步的训练，最高学习率从 {low} 到 {high}"
    ),
    "{rate} for the whole training at a batch of {size}": "批大小为 {size} 的完整训练应取 {rate}",
    "up to {speed} rows/s": "最高每秒 {speed} 个样本",
    "knee at batch {size}": "拐点在批大小 {size}",
    "largest run {size}": "运行过的最大批为 {size}",
    "on {device}": "设备 {device}",
    "memory ends there": "到此内存用尽",
    "no more rows": "没有更多样本",
    "more would cost too much": "再多则代价太高",
    "preconditioned": "经过预处理",
    "{optimizer} is unstable above a rate of {rate}": "{optimizer} 在学习率高于 {rate} 时不稳定",
    "none up to a rate of {rate}": "学习率到 {rate} 为止没有发散",
    "the loss diverged at a rate of {rate}": "学习率为 {rate} 时损失发散",
    "{amount} {unit}": "{amount} {unit}",
    "days": "天",
    "h": "小时",
    "min": "分钟",
    "s": "秒",
}

_FIGURES = {
    "each step": "每一步",
    "smoothed": "平滑后",
    "each seed": "每个随机种子",
    "mean, smoothed": "平均并平滑",
    "diverged at {rate}": "在 {rate} 处发散",
    "batch {size}": "批大小 {size}",
    "gradient noise scale, rows": "梯度噪声尺度（样本）",
    "speed, fitted": "速度（拟合）",
    "speed, as run": "速度（实测）",
    "largest": "最大",
    "knee": "拐点",
    "batch size, rows": "批大小（样本）",
    "rows a second": "每秒样本数",
    "memory, fitted": "内存（拟合）",
    "memory, as run": "内存（实测）",
    "memory, {unit}": "内存，{unit}",
    "optimizer steps": "优化步数",
    "batch size and rate": "批大小与学习率",
    "predicted time, s": "预计用时（秒）",
}

PROBE: dict[str, str] = {**_PAGE, **_MEASURED, **_FIGURES}
