"""The temporal models' definitions, written as loops over plain arrays: (config, params, sequence [n, F]) → [units]."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(layer: dict, x: np.ndarray) -> np.ndarray:
    """A dense layer on all the values of x, in its order."""
    return x.ravel() @ layer["kernel"].reshape(x.size, -1) + layer["bias"]


def none(config, params, x):
    return x[0]


def conv1d(config, params, x):
    steps = [dense(params["conv"], x[t : t + config.kernel]) for t in range(len(x) - config.kernel + 1)]
    return np.maximum(steps, 0).max(axis=0)


def tdnn(config, params, x):
    layer = 1
    while len(x) > 1:
        windows = [x[t : t + config.window] for t in range(len(x) - config.window + 1)]
        x = np.array([np.maximum(dense(params[f"layer_{layer}"], window), 0) for window in windows])
        layer += 1
    return x[0]


def gamma(config, params, x):
    mu = sigmoid(params["mu_logit"])
    taps = np.zeros((config.taps + 1, x.shape[1]))
    for value in x:
        taps[0] = value
        for j in range(1, config.taps + 1):
            taps[j] = (1 - mu) * taps[j] + mu * taps[j - 1]
    return dense(params["dense"], taps)


def _recurrent(step, config, params, x):
    """Layer by layer; `step` takes W x + b and U h by gate, and the state (h, c)."""
    for layer in range(1, config.layers + 1):
        weights, states = params[f"layer_{layer}"], []
        h = c = np.zeros(config.units)
        for value in x:
            wx = [value @ kernel + bias for kernel, bias in zip(weights["input"], weights["bias"], strict=True)]
            uh = [h @ kernel for kernel in weights["recurrent"]]
            h, c = step(weights, wx, uh, h, c)
            states.append(h)
        x = np.array(states)
    return x[-1]


def rnn(config, params, x):
    return _recurrent(lambda weights, wx, uh, h, c: (np.tanh(wx[0] + uh[0]), c), config, params, x)


def gru(config, params, x):
    def step(weights, wx, uh, h, c):
        reset, update = sigmoid(wx[0] + uh[0]), sigmoid(wx[1] + uh[1])
        candidate = np.tanh(wx[2] + reset * (uh[2] + weights["reset_bias"]))
        return update * h + (1 - update) * candidate, c

    return _recurrent(step, config, params, x)


def lstm(config, params, x):
    def step(weights, wx, uh, h, c):
        c = sigmoid(wx[1] + uh[1]) * c + sigmoid(wx[0] + uh[0]) * np.tanh(wx[2] + uh[2])
        return sigmoid(wx[3] + uh[3]) * np.tanh(c), c

    return _recurrent(step, config, params, x)


LOOPS = {"none": none, "conv1d": conv1d, "tdnn": tdnn, "gamma": gamma, "rnn": rnn, "gru": gru, "lstm": lstm}
