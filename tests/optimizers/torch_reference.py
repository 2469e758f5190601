"""Write torch_reference.json: where torch.optim goes on a fixed sequence of gradients.

Run with PyTorch installed: ``python tests/optimizers/torch_reference.py``. The tests compare the
methods of `lib.optimizers.stochastic` with that file, and with PyTorch itself where it is there.
"""

import json
import math
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
START = [1.0, 0.4, -0.7, 0.25, 0.0, 3.0]
STEPS = (1, 2, 10, 100, 1000)
RATES = 40  # steps of the schedules that are kept

DECAY = {"weight_decay": 0.01}
DECOUPLED = {"weight_decay": 0.1, "decoupled_weight_decay": True}
BETAS = {"betas": (0.8, 0.95)}

# Method of lib, class of torch.optim, options; lr stands for learning_rate.
CASES = [
    ("sgd", "SGD", {}),
    ("sgd", "SGD", {"lr": 0.1, **DECAY}),
    ("momentum_sgd", "SGD", {"momentum": 0.9}),
    ("momentum_sgd", "SGD", {"lr": 0.02, "momentum": 0.8, "dampening": 0.3, **DECAY}),
    ("momentum_sgd", "SGD", {"lr": 0.02, "momentum": 0.0, "dampening": 0.3}),
    ("momentum_sgd", "SGD", {"lr": 0.02, "momentum": 0.7, "nesterov": True}),
    ("nesterov_sgd", "SGD", {"momentum": 0.9}),
    ("nesterov_sgd", "SGD", {"lr": 0.03, "momentum": 0.6, **DECAY}),
    ("adagrad", "Adagrad", {}),
    (
        "adagrad",
        "Adagrad",
        {"lr": 0.5, "lr_decay": 0.02, "initial_accumulator_value": 0.3, "eps": 1e-4, **DECAY},
    ),
    ("rmsprop", "RMSprop", {}),
    ("rmsprop", "RMSprop", {"lr": 0.003, "alpha": 0.9, "eps": 1e-3, **DECAY}),
    ("rmsprop", "RMSprop", {"centered": True}),
    ("rmsprop", "RMSprop", {"lr": 0.002, "momentum": 0.6}),
    ("rmsprop", "RMSprop", {"lr": 0.002, "alpha": 0.95, "momentum": 0.5, "centered": True}),
    ("adam", "Adam", {}),
    ("adam", "Adam", {"lr": 0.02, "eps": 1e-3, **BETAS, **DECAY}),
    ("adam", "Adam", {"lr": 0.01, **DECOUPLED}),
    ("adam", "AdamW", {"lr": 0.01, "weight_decay": 0.05}),
    ("amsgrad", "Adam", {"amsgrad": True}),
    ("amsgrad", "Adam", {"amsgrad": True, "lr": 0.05, **BETAS, **DECAY}),
    ("amsgrad", "Adam", {"amsgrad": True, "lr": 0.01, **DECOUPLED}),
    ("adamax", "Adamax", {}),
    ("adamax", "Adamax", {"lr": 0.03, "eps": 1e-2, **BETAS, **DECAY}),
    ("nadam", "NAdam", {}),
    ("nadam", "NAdam", {"lr": 0.01, "eps": 1e-4, "momentum_decay": 0.02, **BETAS, **DECAY}),
    ("nadam", "NAdam", {"lr": 0.01, **DECOUPLED}),
]

# Constructor of Schedule and its arguments, class of torch.optim.lr_scheduler and its arguments.
SCHEDULES = [
    ("step_decay", {"drop": 0.3, "every": 7}, "StepLR", {"gamma": 0.3, "step_size": 7}),
    ("exponential_decay", {"gamma": 0.9}, "ExponentialLR", {"gamma": 0.9}),
    ("polynomial", {"n_steps": 30}, "PolynomialLR", {"total_iters": 30}),
    (
        "polynomial",
        {"n_steps": 50, "power": 1.7},
        "PolynomialLR",
        {"total_iters": 50, "power": 1.7},
    ),
    ("cosine", {"n_steps": RATES}, "CosineAnnealingLR", {"T_max": RATES}),
    (
        "cosine",
        {"n_steps": RATES, "final": 0.1},
        "CosineAnnealingLR",
        {"T_max": RATES, "eta_min": 0.05},
    ),
    (
        "warmup",
        {"n_steps": 10},
        "LinearLR",
        {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 9},
    ),
]
BASE_RATE = 0.5


def gradient(x, k):
    """Return the gradient at `x` in step k: slopes of wells and bowls with changing offsets.

    The fourth entry is always zero, the fifth and sixth almost always and very small.
    """
    return [
        x[0] + 0.5 * math.cos(0.7 * k),
        x[1] ** 3 - x[1] + 0.3 * math.sin(1.3 * k),
        10.0 * math.sin(x[2]) + 5.0 * math.cos(2.1 * k),
        0.0,
        x[4] - 1.0 if k % 50 == 20 else 0.0,
        1e-6 * x[5] * (1.5 + math.sin(0.2 * k)),
    ]


def trajectory(torch, name, options, steps):
    """Return the parameters after each of `steps`."""
    x = torch.tensor(START, requires_grad=True)
    optimizer = getattr(torch.optim, name)([x], **options)
    kept = []
    for k in range(max(steps)):
        x.grad = torch.tensor(gradient(x.tolist(), k))
        optimizer.step()
        if k + 1 in steps:
            kept.append(x.tolist())
    return kept


def options_of(method, options):
    """Return what torch.optim is to be given for `method`."""
    return {**options, "nesterov": True} if method == "nesterov_sgd" else options


def rates(torch, name, options):
    """Return the learning rate of each step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE_RATE)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    found = []
    for _ in range(RATES):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def main():
    """Run everything and write the file, one case a line."""
    import torch

    torch.set_default_dtype(torch.float64)  # also for the numbers that NAdam keeps
    head = {"torch": torch.__version__, "start": START, "steps": STEPS, "base_rate": BASE_RATE}
    cases = [
        {
            "method": method,
            "torch": name,
            "options": options,
            "x": trajectory(torch, name, options_of(method, options), STEPS),
        }
        for method, name, options in CASES
    ]
    schedules = [
        {"schedule": kind, "options": own, "rates": rates(torch, name, options)}
        for kind, own, name, options in SCHEDULES
    ]
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, entries in (("cases", cases), ("schedules", schedules)):
        joined = ",\n".join(map(json.dumps, entries))
        lines.append(f'"{key}": [\n{joined}\n]')
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
