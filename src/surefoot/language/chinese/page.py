"""The page of a study."""

__all__ = ["PAGE"]

_WORDS = {
    "completed": "已完成",
    "stopped early": "提前停止",
    "interrupted": "被中断",
    "train": "训练",
    "validation": "验证",
    "test": "测试",
    "training": "训练",
    "train loss": "训练损失",
    "test loss": "测试损失",
    "loss": "损失",
    "accuracy": "准确率",
    "train accuracy": "训练准确率",
    "validation accuracy": "验证准确率",
    "test accuracy": "测试准确率",
    "seconds": "用时（秒）",
    "epoch": "轮次",
    "step": "步",
    "row": "行",
    "rows": "样本数",
    "run": "训练",
    "fit": "单次训练",
    "recipe": "配方",
    "optimizer": "优化器",
    "learning rate": "学习率",
    "weight decay": "权重衰减",
    "batch": "批大小",
    "batch size": "批大小",
    "noise scale": "噪声尺度",
    "micro batch": "微批",
    "loss scale": "损失缩放",
    "rate multiplier": "学习率倍数",
    "rate factor": "学习率系数",
    "gradient norm": "梯度范数",
    "momentum": "动量",
    "beta1": "β₁",
    "beta2": "β₂",
    "epsilon": "ε",
    "status": "状态",
    "steps": "步数",
    "price": "代价",
    "curve": "曲线",
    "value": "数值",
    "samples seen": "已见样本数",
    "what": "设置",
    "part": "数据部分",
    "from": "原值",
    "to": "新值",
    "why": "原因",
    "kept": "选中",
    ", ": "，",
    "; ": "；",
    ".": "。",
}

_FRAME = {
    "Skip to the content": "跳到正文",
    "On this page": "本页内容",
    "Legend: press to hide or show": "图例：点击可隐藏或显示曲线",
    "The values of this picture": "此图的数值",
    "Of long curves the first, the last, the lowest and the highest points of each stretch.": (
        "长曲线只列出首尾两点，以及每一段的最低点和最高点。"
    ),
    "What to do:": "建议：",
    "Verdicts": "诊断",
    "Code": "代码",
}

_TOP = {
    "{task}: {outcome}": "{task}：{outcome}",
    "no usable model": "没有可用的模型",
    "a tuned model": "调好参数的模型",
    "a trained model": "训练好的模型",
    "{rows:,} training rows": "{rows:,} 个训练样本",
    "{epochs:.4g} epochs a training": "每次训练 {epochs:.4g} 轮",
    "seed {seed}": "随机种子 {seed}",
    ". Price: {cost}.": "。代价：{cost}。",
    " Status: {status}{reason}.": "状态：{status}{reason}。",
    "The recipe": "配方",
    "Every key of the recipe": "配方的全部设置",
    "Not trained to the end: {forecast}.": "没有训练到完整时长：{forecast}。",
    "Loss and scores": "损失和得分",
    "No run reached a usable model, so there is no recipe to show. Below is what was tried.": (
        "没有一次训练得到可用的模型，因此没有配方。以下是尝试过的内容。"
    ),
    "learning rate {rate:.3g}": "学习率 {rate:.3g}",
    "weight decay {decay:.3g}": "权重衰减 {decay:.3g}",
    "batch size {size}": "批大小 {size}",
    "batch size {size} by {policy}": "批大小 {size}（策略 {policy}）",
    "batch size {size} to {last} by {policy}": "批大小从 {size} 到 {last}（策略 {policy}）",
    " (its settings belong to {size})": "（其设置对应批大小 {size}）",
    "{name} schedule": "{name} 调度",
    " after a warmup of {share:g} %": "，先预热 {share:g}%",
    "by {policy}": "策略 {policy}",
    "length": "训练时长",
    "{epochs:.3g} epochs": "{epochs:.3g} 轮",
    "{share:.2g} times the task's {asked:g}": "任务规定的 {asked:g} 轮的 {share:.2g} 倍",
    "over {epochs:.3g} epochs ({share:.2g} times the task's {asked:g})": (
        "共 {epochs:.3g} 轮（任务规定的 {asked:g} 轮的 {share:.2g} 倍）"
    ),
    "a whole training takes learning rate {rate:.3g}, weight decay {decay:.3g} (full_recipe.toml)": (
        "完整训练应取学习率 {rate:.3g}、权重衰减 {decay:.3g}（full_recipe.toml）"
    ),
    "; its validation loss should end near {value:.3g} ({low:.3g} to {high:.3g})": (
        "；预计验证损失最终在 {value:.3g} 附近（{low:.3g} 到 {high:.3g}）"
    ),
}

_PICTURES = {
    "Losses": "损失",
    "Losses of the kept run": "选中训练的损失",
    "Losses of every run": "每一次训练的损失",
    "kept weights": "保留的权重",
    "Validation full, training dotted; the star is where the kept weights are from.": (
        "验证损失为实线，训练损失为点线；星号处的权重即所保留的权重。"
    ),
    "Validation full, training dotted. The kept run is thick and blue.": (
        "验证损失为实线，训练损失为点线。选中的训练为蓝色粗线。"
    ),
    "{name}: {optimizer}, rate {rate:.2g}": "{name}：{optimizer}，学习率 {rate:.2g}",
    " {count:,} runs that ended higher or lost their model are left out.": (
        "另有 {count:,} 次结果较差或没有可用模型的训练未画出。"
    ),
    "Training loss. No row was held out, so there is no validation loss.": (
        "训练损失。没有留出任何样本，因此没有验证损失。"
    ),
    "runs of share {stage}": "份额为 {stage} 的训练",
    "Rate and batch of the kept run": "选中训练的学习率与批大小",
    "What the optimizer was given at every look, over the samples seen.": (
        "每次评估时优化器所用的设置，横轴为已见样本数。"
    ),
    "Gradient noise scale": "梯度噪声尺度",
    "A batch far below the noise scale wastes steps, one far above it wastes samples.": (
        "批大小远小于噪声尺度会浪费步数，远大于它则浪费样本。"
    ),
    "Learning-rate range tests": "学习率范围测试",
    "One step at each rate; the band is what this alone suggests, the dotted line the rate that diverged.": (
        "每个学习率更新一步；色带是仅凭此测试建议的范围，点线是发散时的学习率。"
    ),
    "The ladder, and what it cost": "训练阶梯及其代价",
    "A bar a run, as long as its price; the star is the kept one, the dotted line the best so far.": (
        "每条横线是一次训练，长度为其代价；星号是选中的训练，点线是到当时为止的最优值。"
    ),
    " The grey part was spent on range tests.": "灰色部分用于范围测试。",
    "What was tried": "尝试过的设置",
    "A mark a run: its colour is what it reached, its size how long it trained; crosses are lost runs.": (
        "每个标记是一次训练：颜色表示达到的结果，大小表示训练时长；叉号表示失败的训练。"
    ),
    " All runs had batches of {size}, so the height is the weight decay.": (
        "所有训练的批大小都是 {size}，因此纵轴改为权重衰减。"
    ),
    "price so far, in trainings": "累计代价（训练次数）",
    "best so far": "当时最优",
    "without a usable model": "没有可用模型",
    "{name}, share {stage}": "{name}，份额 {stage}",
    "{optimizer}, rate {rate:.3g}, decay {decay:.3g}, batch {size}": (
        "{optimizer}，学习率 {rate:.3g}，权重衰减 {decay:.3g}，批大小 {size}"
    ),
}

_STORY = {
    "Why this one": "为什么选它",
    "The range test of {optimizer} gave no rate: {reason}.": "{optimizer} 的范围测试没有给出学习率：{reason}。",
    "The range test of {optimizer} points to a learning rate near {rate:.2g}.": (
        "{optimizer} 的范围测试指向 {rate:.2g} 附近的学习率。"
    ),
    "The range test of {optimizer} points to a learning rate near {rate:.2g}, and diverged at {limit:.2g}.": (
        "{optimizer} 的范围测试指向 {rate:.2g} 附近的学习率，在 {limit:.2g} 处发散。"
    ),
    "best of its length": "同等时长中最好",
    "best of its length, but longer and no better": "同等时长中最好，但更长却没有更好",
    "an equal of {name} by {difference:.3g}": "与{name}不相上下，相差 {difference:.3g}",
    "lost to {name} by {difference:.3g}": "不如{name}，相差 {difference:.3g}",
    "{name} {value:.4g} on {rows:,} rows": "在 {rows:,} 个样本上的{name}为 {value:.4g}",
    "{name} {value:.4g} ± {error:.2g} on {rows:,} rows": "在 {rows:,} 个样本上的{name}为 {value:.4g} ± {error:.2g}",
    "{name} was kept: {about}. It is better than {rival}, its nearest rival of the same length, "
    "with a probability of {belief}.": (
        "选中了{name}：{about}。它优于同等时长中最接近的对手{rival}的概率为 {belief}。"
    ),
    "more than {share}": "{share} 以上",
    "{name} was the only usable run: {about}.": "{name}是唯一可用的训练：{about}。",
    "{name} was kept: {about}. It is the only run of its length; the best shorter one, {rival}, "
    "ended at {value:.4g} after {share:.2g} of its samples.": (
        "选中了{name}：{about}。同等时长的训练只有这一次；较短的训练中最好的是{rival}，"
        "用了它 {share:.2g} 倍的样本，结果为 {value:.4g}。"
    ),
    "With so few validation rows a loss of {value:.3g} was judged as {judged:.3g}: as if one more "
    "row had a label that is any of the classes. Being sure of every row gains nothing there.": (
        "验证样本太少，损失 {value:.3g} 按 {judged:.3g} 评判：相当于再加一个标签可能是任何一类的样本。"
        "这样，对每个样本都极度自信并不占便宜。"
    ),
    "learning rates beside {rate:.2g} and decays beside {decay:.2g} at full length": (
        "以完整时长试 {rate:.2g} 附近的学习率和 {decay:.2g} 附近的权重衰减"
    ),
    "{name} at full length": "以完整时长试 {name}",
    "a whole training": "一次完整训练",
    "A larger budget would try {tries}.": "预算更多时会再试：{tries}。",
}

_RUNS = {
    "What moved in the kept run, and why": "选中的训练中变动过的设置及原因",
    "{count:,} changes between them are left out; records.json has all.": (
        "其间还有 {count:,} 次变动未列出；records.json 中有全部记录。"
    ),
    "{name} and {count} more": "{name}及另外 {count} 次",
    "Every run": "每一次训练",
    "share of the horizon": "占完整训练的份额",
    "tried because": "尝试原因",
    "what became of it": "结果",
    "{name} (kept)": "{name}（选中）",
    "Use the model": "使用模型",
    "the folder of this report": "此报告所在的文件夹",
    "Or from the command line, for a table:": "或者用命令行处理表格：",
    "The recipe in a loop of your own": "在自己的训练循环里使用此配方",
    "The recipe in plain PyTorch": "用纯 PyTorch 写出的配方",
}

_DIAGNOSIS = {
    "The dotted lines say where a verdict begins.": "点线标出各项诊断开始之处。",
    "Accuracy": "准确率",
    "Rate and batch": "学习率与批大小",
    "Gradient norm": "梯度范数",
    "A dot a trial, the star the best one; the dotted line is the best so far.": (
        "每个点是一次试验，星号为最好的试验；点线是到当时为止的最优值。"
    ),
    "A dot a trial, the star the best one.": "每个点是一次试验，星号为最好的试验。",
    "Trials": "各次试验",
    "trials": "试验",
    "trial": "试验",
    "trial {number}": "第 {number} 次试验",
    "Value over {name}": "结果随 {name} 的变化",
    "{count} logs diagnosed": "诊断了 {count} 份日志",
    "Overview": "总览",
    "log": "日志",
    "The last {count} have their verdicts alone, without pictures.": "最后 {count} 份只有诊断，没有图。",
}

PAGE: dict[str, str] = {**_WORDS, **_FRAME, **_TOP, **_PICTURES, **_STORY, **_RUNS, **_DIAGNOSIS}
