"""Training of 1000 ReLU networks 1-H-H-1 at once, each with mini-batches of its own.

A batch is 32 of 1024 points of a sine curve, drawn with replacement. Ours draws inside the timing
and, like the others, looks at nothing between the steps (`check_every`); the others get their
batches drawn beforehand. All start from the same parameters. That all compute the same is checked
to six digits, without random batches, on a few networks.

Model: 6 * 32 * (2 H + H^2) flops a step and network: forwards and backwards through the layers,
the update not counted. PyTorch's modules are trained four at a time and scaled up to 1000.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks._timing import ALL_CORES, Case, Contender, Target, cores, one_torch_thread
from lib import ensembles, problems

METHODS = (
    "sgd",
    "momentum_sgd",
    "nesterov_sgd",
    "adagrad",
    "rmsprop",
    "adam",
    "amsgrad",
    "adamax",
    "nadam",
)
STEPS = {2: 200, 4: 150, 8: 100, 16: 50, 64: 10}  # by width H
NETWORKS = 1000
SAMPLES = 1024
BATCH = 32
RATE = 1e-3
FEW = 4  # modules that PyTorch's loop trains

# What stands in the way of a target.
CALLS = (
    "The price of PyTorch's loop is that of its calls, and hardly grows with the width; ours is "
    "arithmetic. For wide layers the arithmetic alone takes, at the peak that numba's vectors "
    "have, about as long as the target allows."
)
COMPILED = (
    "XLA compiles the same training to loops over many networks, and the wider the layers, the "
    "more of its time is arithmetic, too. Ours draws the batches while the clock runs."
)
SHARED = (
    "Where two processors are threads of one core they share its arithmetic, and both together do "
    "hardly more than one of them alone: compare the peaks."
)

# --- contenders ---------------------------------------------------------------------------------
# Each maker gets the problem, the first parameters (n, d), the method, the width, and the numbers
# of the samples in each batch (steps, n, 32). Each run returns the parameters, layer by layer.


def layers(thetas, width):
    """Split parameters into weights and biases: (n, H, 1), (n, H), (n, H, H), ..."""
    shapes = ((width, 1), (width,), (width, width), (width,), (1, width), (1,))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(thetas, ends[:-1], axis=1)
    return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]


def ours(problem, thetas, method, width, batches):
    whole = problem.n_samples == BATCH
    steps = len(batches)
    options = {"method": method, "max_iter": steps, "tol": 0.0, "check_every": steps}

    def run():
        size = None if whole else BATCH
        return [ensembles.run_many(problem, thetas, RATE, batch_size=size, **options).x]

    return run


def torch_optimizer(method, parameters, foreach=True):
    """Return PyTorch's optimizer, fused where there is such a version for processors."""
    import torch

    kinds = {
        "sgd": (torch.optim.SGD, {"fused": True}),
        "momentum_sgd": (torch.optim.SGD, {"momentum": 0.9, "fused": True}),
        "nesterov_sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "fused": True}),
        "adagrad": (torch.optim.Adagrad, {"fused": True}),
        "rmsprop": (torch.optim.RMSprop, {"foreach": foreach}),
        "adam": (torch.optim.Adam, {"fused": True}),
        "amsgrad": (torch.optim.Adam, {"amsgrad": True, "fused": True}),
        "adamax": (torch.optim.Adamax, {"foreach": foreach}),
        "nadam": (torch.optim.NAdam, {"foreach": foreach}),
    }
    kind, options = kinds[method]
    return kind(parameters, lr=RATE, **options)


def torch_modules(problem, thetas, method, width, batches):
    import torch
    from torch import nn

    inputs, targets = map(torch.from_numpy, map(np.array, samples(problem)))
    picks = torch.from_numpy(batches)
    few = min(FEW, len(thetas))

    def module(number):
        network = nn.Sequential(
            nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        ).double()
        with torch.no_grad():
            for own, part in zip(network.parameters(), layers(thetas, width), strict=True):
                own.copy_(torch.from_numpy(part[number]))
        return network

    @one_torch_thread()
    def run():
        trained = []
        for number in range(few):
            network = module(number)
            optimizer = torch_optimizer(method, network.parameters())
            for pick in picks[:, number]:
                optimizer.zero_grad()
                out = network(inputs[pick, None])
                nn.functional.mse_loss(out[:, 0], targets[pick]).backward()
                optimizer.step()
            trained.append([own.detach().numpy() for own in network.parameters()])
        return [np.stack(parts) for parts in zip(*trained, strict=True)]

    return run


def torch_batched(dtype):
    def make(problem, thetas, method, width, batches):
        import torch

        kind = getattr(torch, dtype)
        inputs, targets = (torch.tensor(part, dtype=kind) for part in samples(problem))
        picks = torch.from_numpy(batches)
        first = [torch.tensor(part, dtype=kind) for part in layers(thetas, width)]

        def run():
            w1, b1, w2, b2, w3, b3 = own = [part.clone().requires_grad_() for part in first]
            optimizer = torch_optimizer(method, own)
            for pick in picks:
                h = torch.relu(w1 * inputs[pick].unsqueeze(1) + b1.unsqueeze(2))
                h = torch.relu(torch.baddbmm(b2.unsqueeze(2), w2, h))
                out = torch.baddbmm(b3.unsqueeze(2), w3, h).squeeze(1)
                loss = (out - targets[pick]).square().sum() / BATCH
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return [part.detach() for part in own]

        return run

    return make


def torch_func(problem, thetas, method, width, batches):
    import torch

    inputs, targets = map(torch.from_numpy, map(np.array, samples(problem)))
    picks = torch.from_numpy(batches)
    first = [torch.from_numpy(part) for part in layers(thetas, width)]

    def loss(own, x, y):
        w1, b1, w2, b2, w3, b3 = own
        h = torch.relu(x[:, None] @ w1.T + b1)
        h = torch.relu(h @ w2.T + b2)
        return ((h @ w3.T + b3)[:, 0] - y).square().mean()

    slopes = torch.func.vmap(torch.func.grad(loss))

    def run():
        own = [part.clone().requires_grad_() for part in first]
        optimizer = torch_optimizer(method, own)
        for pick in picks:
            found = slopes([part.detach() for part in own], inputs[pick], targets[pick])
            for part, slope in zip(own, found, strict=True):
                part.grad = slope
            optimizer.step()
        return [part.detach() for part in own]

    return run


def optax_optimizer(method):
    """Return optax's optimizer; its AMSGrad and Nadam are others than PyTorch's, so these two here.

    optax adds the eps of Adagrad below the root, PyTorch outside: 0 is nearest.
    """
    import optax

    kinds = {
        "sgd": lambda: optax.sgd(RATE),
        "momentum_sgd": lambda: optax.sgd(RATE, momentum=0.9),
        "nesterov_sgd": lambda: optax.sgd(RATE, momentum=0.9, nesterov=True),
        "adagrad": lambda: optax.adagrad(RATE, initial_accumulator_value=0.0, eps=0.0),
        "rmsprop": lambda: optax.rmsprop(RATE, decay=0.99, eps=1e-8, eps_in_sqrt=False),
        "adam": lambda: optax.adam(RATE),
        "amsgrad": lambda: adam_with(amsgrad_step),
        "adamax": lambda: optax.adamax(RATE),
        "nadam": lambda: adam_with(nadam_step),
    }
    return kinds[method]()


def adam_with(step):
    """Return an optax optimizer that keeps Adam's two means and two numbers or arrays more."""
    import jax
    import jax.numpy as jnp
    import optax

    def init(own):
        zeros = jax.tree.map(jnp.zeros_like, own)
        return jnp.array(0.0), jnp.array(1.0), zeros, zeros, zeros

    def update(slopes, state, own=None):
        t, product, m, v, top = state
        t = t + 1.0
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, slopes)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, slopes)
        top = jax.tree.map(jnp.maximum, top, v)
        steps, product = step(t, product, slopes, m, v, top)
        return steps, (t, product, m, v, top)

    return optax.GradientTransformation(init, update)


def amsgrad_step(t, product, slopes, m, v, top):
    import jax
    import jax.numpy as jnp

    rate, scale = RATE / (1.0 - 0.9**t), jnp.sqrt(1.0 - 0.999**t)
    steps = jax.tree.map(lambda m, top: -rate * m / (1e-8 + jnp.sqrt(top) / scale), m, top)
    return steps, product


def nadam_step(t, product, slopes, m, v, top):
    import jax
    import jax.numpy as jnp

    now, then = (0.9 * (1.0 - 0.5 * 0.96 ** (0.004 * k)) for k in (t, t + 1.0))
    product = product * now
    direct, through = (1.0 - now) / (1.0 - product), then / (1.0 - product * then)
    scale = jnp.sqrt(1.0 - 0.999**t)

    def one(g, m, v):
        return -RATE * (direct * g + through * m) / (1e-8 + jnp.sqrt(v) / scale)

    return jax.tree.map(one, slopes, m, v), product


def jax_training(problem, method, dtype):
    """Return a function that trains one network on its batches (steps, 32)."""
    import jax
    import jax.numpy as jnp
    import optax

    inputs, targets = (jnp.asarray(part, dtype) for part in samples(problem))
    optimizer = optax_optimizer(method)

    def loss(own, x, y):
        w1, b1, w2, b2, w3, b3 = own
        h = jax.nn.relu(w1 * x + b1[:, None])
        h = jax.nn.relu(w2 @ h + b2[:, None])
        return jnp.mean((w3 @ h + b3[:, None] - y) ** 2)

    def train(own, picks):
        def step(carry, pick):
            own, state = carry
            slopes = jax.grad(loss)(own, inputs[pick], targets[pick])
            change, state = optimizer.update(slopes, state, own)
            return (optax.apply_updates(own, change), state), None

        return jax.lax.scan(step, (own, optimizer.init(own)), picks)[0][0]

    return train


def jax_vmap(dtype):
    def make(problem, thetas, method, width, batches):
        import jax
        import jax.numpy as jnp

        run = jax.jit(jax.vmap(jax_training(problem, method, dtype), in_axes=(0, 1)))
        first = [jnp.asarray(part, dtype) for part in layers(thetas, width)]
        picks = jnp.asarray(batches, "int32")
        return lambda: jax.block_until_ready(run(first, picks))

    return make


def jax_map(problem, thetas, method, width, batches):
    import jax
    import jax.numpy as jnp

    train = jax_training(problem, method, "float64")
    run = jax.jit(lambda own, picks: jax.lax.map(lambda z: train(*z), (own, picks), batch_size=50))
    first = [jnp.asarray(part) for part in layers(thetas, width)]
    picks = jnp.asarray(batches.swapaxes(0, 1), "int32")
    return lambda: jax.block_until_ready(run(first, picks))


def jax_threads(problem, thetas, method, width, batches):
    if cores() == 1:
        return None
    shares = zip(
        np.array_split(thetas, cores()), np.array_split(batches, cores(), axis=1), strict=True
    )
    runs = [jax_map(problem, share, method, width, picks) for share, picks in shares]

    def run():
        with ThreadPoolExecutor(len(runs)) as pool:
            parts = list(pool.map(lambda share: share(), runs))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    return run


# --- cases --------------------------------------------------------------------------------------


def samples(problem):
    """Return inputs and targets as vectors."""
    return problem.data.inputs[:, 0], problem.data.targets[:, 0]


def agree(ours, theirs):
    def flat(parts):
        return np.concatenate([np.asarray(part).reshape(len(part), -1) for part in parts], axis=1)

    ours, theirs = flat(ours), flat(theirs)
    away = np.abs(theirs - ours[: len(theirs)]).max()
    wanted = 1e-6 if theirs.dtype == np.float64 else 1e-3
    return None if away < wanted else f"the parameters are up to {away:.1e} away"


def arguments(width, method, n, n_samples, steps):
    x = np.linspace(-1.0, 1.0, n_samples)[:, None]
    problem = problems.relu_network((1, width, width, 1), x, np.sin(3.0 * x))
    thetas = problems.initialize((1, width, width, 1), n=n, law="he", seed=1)
    rng = np.random.default_rng(2)
    batches = rng.integers(n_samples, size=(steps, n, BATCH))
    if n_samples == BATCH:
        batches[:] = np.arange(BATCH)
    return problem, thetas, method, width, batches


def cases(quick):
    """Yield all methods at H = 16, and Adam and SGD at the other widths."""
    chosen = [(16, method) for method in METHODS]
    chosen += [(width, method) for width in (2, 4, 8, 64) for method in ("sgd", "adam")]
    if quick:
        chosen = [(16, "sgd"), (16, "adam"), (2, "adam"), (64, "adam")]
    for width, method in chosen:
        single = (
            Contender("JAX vmap, single precision", jax_vmap("float32"), "optax", aside=True),
            Contender(
                "PyTorch batched, single precision", torch_batched("float32"), "torch", aside=True
            ),
        )
        loop, best = (500.0, 2.5) if width <= 16 else (50.0, 1.5)
        targets = [
            Target(f"{loop:g} x a loop over modules", loop, ("PyTorch loop",), why=CALLS),
            Target(
                f"{best:g} x the best of JAX and PyTorch", best, ("JAX", "PyTorch"), why=COMPILED
            ),
        ]
        if width == 16:
            share = Target(
                "24 GFLOP/s on two cores", 12e9, per_core=True, modes=(ALL_CORES,), why=SHARED
            )
            targets.append(share)
        steps = STEPS[width]
        yield Case(
            name=f"{NETWORKS} networks 1-{width}-{width}-1, {method}, {steps} steps",
            contenders=(
                Contender("lib, run_many", ours),
                Contender("JAX vmap of scan, optax", jax_vmap("float64"), "optax"),
                Contender("JAX lax.map in batches of 50, optax", jax_map, "optax"),
                Contender("JAX lax.map, a thread for each core", jax_threads, "optax"),
                Contender("PyTorch torch.func vmap of grad", torch_func, "torch"),
                Contender("PyTorch batched, baddbmm", torch_batched("float64"), "torch"),
                Contender("PyTorch loop over modules", torch_modules, "torch", NETWORKS / FEW),
                *(single if (width, method) == (16, "adam") else ()),
            ),
            data=arguments(width, method, NETWORKS, SAMPLES, steps),
            check=arguments(width, method, 2 * FEW, BATCH, 10),
            agree=agree,
            targets=tuple(targets),
            limit="fma",
            work=6.0 * BATCH * (2 * width + width**2) * NETWORKS * steps,
            model="6 * 32 * (2 H + H^2) flops a network and step",
            rounds=3 if method in ("sgd", "adam") else 2,
        )
