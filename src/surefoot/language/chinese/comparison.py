"""The page of a comparison."""

__all__ = ["COMPARISON"]

_PAGE = {
    "{task}: {count} recipes side by side": "{task}：{count} 个配方并排比较",
    "The same seed, the same initial weights where the models are alike, the same order of rows.": (
        "随机种子相同，模型相同时初始权重相同，样本的顺序也相同。"
    ),
    "Results": "结果",
    "What to see": "看点",
    "One seed and {rows} held-out rows: small differences between the last losses are chance.": (
        "只有一个随机种子和 {rows} 个留出样本：最终损失之间的小差别只是偶然。"
    ),
    "The recipes": "各个配方",
    "Training loss": "训练损失",
    "Validation loss": "验证损失",
    "Test loss": "测试损失",
    "Seconds": "用时（秒）",
    "The mean over the batches of an epoch, measured while the weights moved.": (
        "一轮中各批的平均值，测量时权重仍在更新。"
    ),
    "What chooses between recipes, and which weights of a run are kept.": (
        "用来选择配方，并决定保留训练中哪一时刻的权重。"
    ),
    "For looking, not for choosing: what was chosen by it would look better than it is.": (
        "只供查看，不用于选择：按它选出来的会显得比实际更好。"
    ),
    " The legend names {axes}.": "图例给出{axes}。",
    "{loss} against seconds": "{loss}随时间（秒）的变化",
    "The same curve against the clock, looks at the data included: where a step is dear, epochs mislead.": (
        "同一条曲线，横轴改为实际用时（含评估）：每步代价高时，只看轮数会产生误导。"
    ),
    "Of the weights that were kept.": "取自所保留的权重。",
    "Loss over {axes}": "损失随{axes}的变化",
    "Seconds over {axes}": "用时（秒）随{axes}的变化",
    "{measure} over {first} and {second}": "{measure}随{first}与{second}的变化",
    "Looks at the data included.": "含评估所花的时间。",
    "Bright is low, dark is high.": "颜色越亮数值越小，越深数值越大。",
    "full_batch": "全批量",
    "single_sample": "单个样本",
    "mini_batch": "小批量",
    "plateau": "停滞时降低",
    "l2": "L2",
}

_LESSON = {
    "One step an epoch, on all rows: the smoothest curve and the least work an epoch, and so the slowest one by epoch. "
    "At this rate, that is: without noise it would stand a higher one.": (
        "每轮只更新一步，用上全部数据：曲线最平滑，每轮的更新最少，因此按轮次最慢。这是就此学习率而言：没有噪声，它可以承受更高的学习率。"
    ),
    "As many steps an epoch as there are rows: the fastest by epoch, the noisiest curve, and by far the most "
    "seconds.": ("每轮的步数等于样本数：按轮次最快，曲线噪声最大，用时也远远最多。"),
    "Between the two: faster by epoch than all rows, smoother than single samples, and few seconds.": (
        "介于两者之间：按轮次比全批量快，比单个样本平滑，用时也少。"
    ),
    "As the mini-batch until the validation loss stops improving; then the rate is cut and the curve goes quiet.": (
        "先与小批量相同，直到验证损失不再改善；随后降低学习率，曲线变得平稳。"
    ),
    "The penalty holds the weights small: the training loss stops higher than the mini-batch's, the test loss "
    "need not.": ("惩罚项使权重保持较小：训练损失停在比小批量更高的位置，测试损失则未必。"),
    "it cannot be seen here: {reason}": "这里看不出来：{reason}",
    "{see} Here: {said}.": "{see}这里：{said}。",
    "{steps:,} steps where the mini-batch took {base:,}; training loss {own:.4f} at the end, against {other:.4f}": (
        "走了 {steps:,} 步，小批量走了 {base:,} 步；最终训练损失 {own:.4f}，小批量为 {other:.4f}"
    ),
    ", so all rows were not slower by epoch: not what the lesson says": "，所以按轮次全批量并不更慢：与本课所说不符",
    "the validation loss strays {own:.1%} from the mean of its neighbours, against {other:.1%}": (
        "验证损失偏离相邻两点平均值 {own:.1%}，小批量为 {other:.1%}"
    ),
    ", so it is not the noisier one: not what the lesson says": "，所以它并不是噪声更大的那个：与本课所说不符",
    "; training loss {own:.4f} at the first look, against {other:.4f}": (
        "；第一次评估时训练损失 {own:.4f}，小批量为 {other:.4f}"
    ),
    ", so it is not the faster one by epoch: not what the lesson says": "，所以按轮次它并不更快：与本课所说不符",
    "; {loss} {own:.4f} at the end, against {other:.4f}; it took {seconds:.2g} s, against {base:.2g}": (
        "；最终{loss} {own:.4f}，小批量为 {other:.4f}；用时 {seconds:.2g} 秒，小批量 {base:.2g} 秒"
    ),
    "{steps:,} steps in {seconds:.2g} s; training loss {loss:.4f} at the end": (
        "{seconds:.2g} 秒走了 {steps:,} 步；最终训练损失 {loss:.4f}"
    ),
    "the validation loss improved to the end, so no cut came and the curve is the mini-batch's": (
        "验证损失一直改善到最后，所以没有降低学习率，曲线与小批量相同"
    ),
    "the rate was cut {times}, first after epoch {epoch:.0f}; from there on the validation loss strays "
    "{own:.1%} from the mean of its neighbours, against {other:.1%}": (
        "学习率降低了{times}，首次在第 {epoch:.0f} 轮之后；"
        "从那以后验证损失偏离相邻两点平均值 {own:.1%}，小批量为 {other:.1%}"
    ),
    ", so it is not quieter: not what the lesson says": "，所以它并没有更平稳：与本课所说不符",
    "training loss {own:.4f} at the end, against {other:.4f}": "最终训练损失 {own:.4f}，小批量为 {other:.4f}",
    ", not higher: not what the lesson says": "，并没有更高：与本课所说不符",
    "; {loss} {own:.4f}, against {other:.4f}": "；{loss} {own:.4f}，小批量为 {other:.4f}",
    ", which is what it is for": "，这正是它的用处",
    ", so it did not pay": "，所以它并不划算",
}

COMPARISON: dict[str, str] = {**_PAGE, **_LESSON}
