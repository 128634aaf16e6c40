"""The page of a comparison."""

__all__ = ["COMPARISON"]

COMPARISON = {
    "{task}: {count} recipes side by side": "{task}：{count} 个配方并排比较",
    "The same seed, the same initial weights where the models are alike, the same order of rows.": (
        "随机种子相同，模型相同时初始权重相同，数据行的顺序也相同。"
    ),
    "Results": "结果",
    "What to see": "看什么",
    "One seed and {rows} held-out rows: small differences between the last losses are chance.": (
        "只有一个随机种子和 {rows} 行留出数据：最终损失之间的小差别只是偶然。"
    ),
    "The recipes": "各个配方",
    "Training loss": "训练损失",
    "Validation loss": "验证损失",
    "Test loss": "测试损失",
    "Seconds": "用时（秒）",
    "The mean over the batches of an epoch, measured while the weights moved.": (
        "一轮中各批的平均值，在权重变动的同时测得。"
    ),
    "What chooses between recipes, and which weights of a run are kept.": (
        "用来在配方之间取舍，并决定保留训练中的哪份权重。"
    ),
    "For looking, not for choosing: what was chosen by it would look better than it is.": (
        "只供查看，不用于选择：按它选出来的会显得比实际更好。"
    ),
    " The legend names {axes}.": "图例给出{axes}。",
    "{loss} against seconds": "{loss}随时间（秒）的变化",
    "The same curve against the clock, looks at the data included: where a step is dear, epochs mislead.": (
        "同一条曲线对实际用时作图，包括评估所花的时间：当一步很贵时，轮数会误导人。"
    ),
    "Of the weights that were kept.": "所用权重为保留下来的那份。",
    "Loss over {axes}": "损失随{axes}的变化",
    "Seconds over {axes}": "用时（秒）随{axes}的变化",
    "{measure} over {first} and {second}": "{measure}随{first}与{second}的变化",
    "Looks at the data included.": "包括评估所花的时间。",
    "Dark is more.": "颜色越深，数值越大。",
    "full batch": "全批量",
    "single sample": "单个样本",
    "mini batch": "小批量",
    "plateau": "停滞时降低",
    "l2": "L2",
}
