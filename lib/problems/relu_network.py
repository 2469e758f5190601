"""Fully connected ReLU networks of any depth and width, and their mean squared error on data."""

from dataclasses import dataclass, field, replace

import numpy as np

from lib import _validation as check
from lib._jit import contiguous, dot, kernel, row, sqrt, write_back
from lib.problems.base import Problem, frozen

SKIPS = ("none", "residual", "input_output")

# The parameters of the kernels: these numbers, the widths l0, ..., lL, the inputs, the targets.
N_SAMPLES, N_LAYERS, SLOPE, SKIP, NORMALIZED, EPS, WIDTHS = range(7)
RESIDUAL, INPUT_OUTPUT = 1, 2

# Samples that go through the network side by side: a buffer has a row for each neuron, and the
# innermost loops run over the samples in it.
BLOCK = 32

# Layers with so many weights or more go through BLAS; smaller ones are faster in loops.
LARGE = 64

STEP = 2.0**-100


@kernel
def _layer(p, k):
    """Return width below layer k, width of layer k, neurons below it, parameters before it."""
    neurons, parameters = 0, 0
    for i in range(1, k):
        below = int(p[WIDTHS + i - 1])
        neurons += below
        parameters += int(p[WIDTHS + i]) * (below + 1)
    below = int(p[WIDTHS + k - 1])
    return below, int(p[WIDTHS + k]), neurons, parameters


@kernel
def _bypasses(p, k):
    """Tell whether a residual skip goes around layer k."""
    return int(p[SKIP]) == RESIDUAL and 1 < k < int(p[N_LAYERS])


@kernel
def _neurons(p):
    """Return the number of neurons, inputs included, and the largest width."""
    total, widest = 0, 0
    for k in range(int(p[N_LAYERS]) + 1):
        width = int(p[WIDTHS + k])
        total += width
        widest = width if width > widest else widest
    return total, widest


@kernel
def _normalize(p, k, at, width, b, z, scale):
    """Give the layer that starts at z[at] mean 0 and variance 1 (up to eps) for each sample."""
    for s in range(b):
        mean = 0.0
        for i in range(width):
            mean += z[at + i, s]
        mean /= width
        variance = 0.0
        for i in range(width):
            away = z[at + i, s] - mean
            variance += away * away
        factor = 1.0 / sqrt(variance / width + p[EPS])
        scale[k, s] = factor
        for i in range(width):
            z[at + i, s] = (z[at + i, s] - mean) * factor


@kernel
def _normalize_back(k, at, width, b, z, scale, delta):
    """Turn the derivatives for the normalized numbers into those for the numbers before."""
    for s in range(b):
        mean, along = 0.0, 0.0
        for i in range(width):
            mean += delta[i, s]
            along += delta[i, s] * z[at + i, s]
        mean /= width
        along /= width
        for i in range(width):
            away = delta[i, s] - mean - along * z[at + i, s]
            delta[i, s] = scale[k, s] * away


@kernel
def _matrix(x, theta, width, below):
    """Return the weights of a layer that begin at x[theta]."""
    return x[theta : theta + width * below].reshape((width, below))


@kernel
def _add_multiples(x, at, stride, n, source, first, to):
    """Add x[at], x[at + stride], ... times n rows of `source`, from `first` on, to the row `to`."""
    for j in range(n):
        weight = x[at + j * stride]
        line = row(source, first + j)
        for s in range(to.size):
            to[s] += weight * line[s]


@kernel
def _forward(x, p, batch, first, b, h, z, scale):
    """Send the samples batch[first], ..., batch[first + b - 1] through the network.

    `h` gets the inputs and the output of each hidden layer, `z` what enters the activations,
    followed by the network's output, `scale` the factors of the normalizations. Rows may be
    longer than b: what is behind the samples of the last block is carried along.
    """
    n_layers = int(p[N_LAYERS])
    inputs = int(p[WIDTHS])
    slope = p[SLOPE]
    data = WIDTHS + n_layers + 1
    for s in range(b):
        at = data + batch[first + s] * inputs
        for j in range(inputs):
            h[j, s] = p[at + j]
    for k in range(1, n_layers + 1):
        below, width, source, theta = _layer(p, k)
        here = source + below - inputs
        biases = theta + width * below
        large = width * below >= LARGE
        if large:
            lower = h[source : source + below]
            np.dot(_matrix(x, theta, width, below), lower, z[here : here + width])
        for i in range(width):
            entering = row(z, here + i)
            bias = x[biases + i]
            if large:
                for s in range(entering.size):
                    entering[s] += bias
            else:
                for s in range(entering.size):
                    entering[s] = bias
                _add_multiples(x, theta + i * below, 1, below, h, source, entering)
        if k < n_layers:
            if p[NORMALIZED] == 1.0:
                _normalize(p, k, here, width, b, z, scale)
            for i in range(width):
                entering, leaving = row(z, here + i), row(h, source + below + i)
                for s in range(entering.size):
                    number = entering[s]
                    leaving[s] = number if number.real > 0.0 else slope * number
            if _bypasses(p, k):
                for i in range(width):
                    leaving, under = row(h, source + below + i), row(h, source + i)
                    for s in range(leaving.size):
                        leaving[s] += under[s]
        elif int(p[SKIP]) == INPUT_OUTPUT:
            shortcut = biases + width
            for i in range(width):
                _add_multiples(x, shortcut + i * inputs, 1, inputs, h, 0, row(z, here + i))


@kernel
def _add_products(delta, width, h, first, below, at, fresh, out):
    """Add the products of the rows of `delta` and `h` to out[at], ...: the slopes of a layer.

    `fresh` says that there is nothing to add to.
    """
    if width * below >= LARGE:
        lower = h[first : first + below].T
        if fresh:
            np.dot(delta[:width], lower, _matrix(out, at, width, below))
        else:
            slopes = np.dot(delta[:width], lower)
            for i in range(width):
                for j in range(below):
                    out[at + i * below + j] += slopes[i, j]
    else:
        for i in range(width):
            for j in range(below):
                out[at + i * below + j] += dot(row(delta, i), row(h, first + j))


@kernel
def _backward(x, p, b, h, z, scale, upper, delta, ones, fresh, out):
    """Add the samples' share of the gradient to `out`, given the output's derivatives in `delta`.

    `upper` is a buffer for the derivatives for the outputs of a layer, as `delta` for what enters
    its activation; `delta` is zero behind the samples. `fresh` says that `out` is zero so far.
    """
    n_layers = int(p[N_LAYERS])
    inputs = int(p[WIDTHS])
    slope = p[SLOPE]
    for k in range(n_layers, 0, -1):
        below, width, source, theta = _layer(p, k)
        biases = theta + width * below
        for i in range(width):
            out[biases + i] += dot(row(delta, i), ones)
        _add_products(delta, width, h, source, below, theta, fresh, out)
        if k == n_layers and int(p[SKIP]) == INPUT_OUTPUT:
            _add_products(delta, width, h, 0, inputs, biases + width, fresh, out)
        if k > 1:
            here = source - inputs
            around = _bypasses(p, k)
            if width * below >= LARGE:
                shares = np.dot(_matrix(x, theta, width, below).T, delta[:width])
                for j in range(below):
                    share, through = row(upper, j), row(shares, j)
                    for s in range(share.size):
                        share[s] = through[s] + (share[s] if around else 0.0)
            else:
                for j in range(below):
                    share = row(upper, j)
                    if not around:
                        for s in range(share.size):
                            share[s] = 0.0
                    _add_multiples(x, theta + j, below, width, delta, 0, share)
            for j in range(below):
                share, own, entering = row(upper, j), row(delta, j), row(z, here + j)
                for s in range(share.size):
                    passed = share[s]
                    own[s] = passed if entering[s].real > 0.0 else slope * passed
            if p[NORMALIZED] == 1.0:
                _normalize_back(k - 1, here, below, b, z, scale, delta)


@kernel
def _everyone(p):
    """Return the numbers of all samples."""
    numbers = np.empty(int(p[N_SAMPLES]), np.int64)
    for i in range(numbers.size):
        numbers[i] = i
    return numbers


@kernel
def _batch_value(x_, p, batch):
    x = contiguous(x_)
    total_neurons, _ = _neurons(p)
    n_layers = int(p[N_LAYERS])
    outputs = int(p[WIDTHS + n_layers])
    inputs = int(p[WIDTHS])
    targets = WIDTHS + n_layers + 1 + int(p[N_SAMPLES]) * inputs
    last = total_neurons - inputs - outputs
    block = min(BLOCK, batch.size)
    h = np.empty((total_neurons, block), x.dtype)
    z = np.empty((total_neurons, block), x.dtype)
    scale = np.empty((n_layers + 1, block), x.dtype)
    total = 0.0
    for first in range(0, batch.size, BLOCK):
        b = min(BLOCK, batch.size - first)
        _forward(x, p, batch, first, b, h, z, scale)
        for s in range(b):
            for i in range(outputs):
                wanted = p[targets + batch[first + s] * outputs + i]
                error = z[last + i, s] - wanted
                total += error * error
    return total / batch.size


@kernel
def _batch_gradient(x_, p, batch, out_):
    x, out = contiguous(x_), contiguous(out_)
    total_neurons, widest = _neurons(p)
    n_layers = int(p[N_LAYERS])
    outputs = int(p[WIDTHS + n_layers])
    inputs = int(p[WIDTHS])
    targets = WIDTHS + n_layers + 1 + int(p[N_SAMPLES]) * inputs
    last = total_neurons - inputs - outputs
    block = min(BLOCK, batch.size)
    work = np.empty((2 * total_neurons + 2 * widest + n_layers + 2, block), x.dtype)
    h, z = work[:total_neurons], work[total_neurons : 2 * total_neurons]
    upper = work[2 * total_neurons : 2 * total_neurons + widest]
    delta = work[2 * total_neurons + widest : 2 * total_neurons + 2 * widest]
    scale, ones = work[2 * total_neurons + 2 * widest : -1], row(work, work.shape[0] - 1)
    for s in range(block):
        ones[s] = 1.0
    weight = 2.0 / batch.size
    for i in range(out.size):
        out[i] = 0.0
    for first in range(0, batch.size, BLOCK):
        b = min(BLOCK, batch.size - first)
        _forward(x, p, batch, first, b, h, z, scale)
        for i in range(outputs):
            for s in range(b):
                wanted = p[targets + batch[first + s] * outputs + i]
                delta[i, s] = weight * (z[last + i, s] - wanted)
            for s in range(b, delta.shape[1]):
                delta[i, s] = 0.0
        _backward(x, p, b, h, z, scale, upper, delta, ones, first == 0, out)
    write_back(out, out_)


@kernel
def _batch_hvp(x, v, p, batch, out):
    """Differentiate the gradient along v by a complex step, which forms no difference.

    The step goes along v divided by its largest entry, so that neither long nor short directions
    leave the range in which that is exact.
    """
    length = 0.0
    for i in range(x.size):
        size = abs(v[i])
        if size > length or not size == size:
            length = size
    if length == 0.0:
        length = 1.0
    moved = np.empty(x.size, np.complex128)
    slopes = np.empty(x.size, np.complex128)
    for i in range(x.size):
        moved[i] = complex(x[i], STEP * (v[i] / length))
    _batch_gradient(moved, p, batch, slopes)
    for i in range(x.size):
        out[i] = slopes[i].imag / STEP * length


@kernel
def _value(x, p):
    return _batch_value(x, p, _everyone(p))


@kernel
def _gradient(x, p, out):
    _batch_gradient(x, p, _everyone(p), out)


@kernel
def _hvp(x, v, p, out):
    _batch_hvp(x, v, p, _everyone(p), out)


@kernel
def _jacobian(x, p, out):
    """Write the derivatives of output i for sample m, times sqrt(2 / n), to a row of `out`."""
    total_neurons, widest = _neurons(p)
    n_layers, n_samples = int(p[N_LAYERS]), int(p[N_SAMPLES])
    outputs = int(p[WIDTHS + n_layers])
    b = min(1, n_samples)  # a literal 1 would be a type of its own, and compile everything anew
    h = np.empty((total_neurons, b))
    z = np.empty((total_neurons, b))
    scale = np.empty((n_layers + 1, b))
    upper = np.empty((widest, b))
    delta = np.empty((widest, b))
    ones = np.ones(b)
    everyone = _everyone(p)
    for m in range(n_samples):
        _forward(x, p, everyone, m, b, h, z, scale)
        for i in range(outputs):
            for j in range(outputs):
                delta[j, 0] = np.sqrt(2.0 / n_samples) if j == i else 0.0
            own = row(out, m * outputs + i)
            _backward(x, p, b, h, z, scale, upper, delta, ones, m >= 0, own)


@kernel
def _states(x, p, before, out):
    """Write what leaves (or, with `before`, enters) each activation, then the output."""
    total_neurons, _ = _neurons(p)
    inputs = int(p[WIDTHS])
    outputs = int(p[WIDTHS + int(p[N_LAYERS])])
    hidden = total_neurons - inputs - outputs
    everyone = _everyone(p)
    block = min(BLOCK, everyone.size)
    h = np.empty((total_neurons, block))
    z = np.empty((total_neurons, block))
    scale = np.empty((int(p[N_LAYERS]) + 1, block))
    for first in range(0, everyone.size, BLOCK):
        b = min(BLOCK, everyone.size - first)
        _forward(x, p, everyone, first, b, h, z, scale)
        for s in range(b):
            for i in range(hidden + outputs):
                entering = z[i, s]
                leaving = h[inputs + i, s] if i < hidden else entering
                out[first + s, i] = entering if before else leaving


@kernel
def _peaks(thetas, p, out):
    """Write the largest number that enters each hidden neuron's activation, for each network."""
    total_neurons, _ = _neurons(p)
    everyone = _everyone(p)
    block = min(BLOCK, everyone.size)
    h = np.empty((total_neurons, block))
    z = np.empty((total_neurons, block))
    scale = np.empty((int(p[N_LAYERS]) + 1, block))
    for n in range(thetas.shape[0]):
        for i in range(out.shape[1]):
            out[n, i] = -np.inf
        for first in range(0, everyone.size, BLOCK):
            b = min(BLOCK, everyone.size - first)
            _forward(row(thetas, n), p, everyone, first, b, h, z, scale)
            for i in range(out.shape[1]):
                for s in range(b):
                    entering = z[i, s]
                    if entering > out[n, i] or not entering == entering:
                        out[n, i] = entering


@dataclass(frozen=True, eq=False)
class ReluNetwork:
    """Architecture and data of a problem made by `relu_network`.

    Attributes
    ----------
    widths : tuple of int
        Widths l0, ..., lL of all layers, inputs and outputs included.
    inputs : ndarray, shape (n_samples, l0)
        The inputs, read-only.
    targets : ndarray, shape (n_samples, lL)
        The targets, read-only.
    slope : float
        Slope of the activation for negative numbers.
    skip : str
        "none", "residual" or "input_output".
    layer_norm : bool
        Whether hidden layers are normalized before the activation.
    eps : float
        Added to the variance there.

    Notes
    -----
    Used in all notebooks of part 5.
    """

    widths: tuple
    inputs: np.ndarray = field(repr=False)
    targets: np.ndarray = field(repr=False)
    slope: float
    skip: str
    layer_norm: bool
    eps: float

    @property
    def n_parameters(self):
        """Number of weights and biases."""
        return parameter_count(self.widths, self.skip)

    def numbers(self):
        """Return the parameters of the kernels."""
        head = [
            len(self.inputs),
            len(self.widths) - 1,
            self.slope,
            SKIPS.index(self.skip),
            self.layer_norm,
            self.eps,
            *self.widths,
        ]
        return frozen(np.concatenate([head, self.inputs.ravel(), self.targets.ravel()]))

    def with_inputs(self, inputs):
        """Return the same architecture with other inputs, and with targets that are zero."""
        inputs = columns(inputs, self.widths[0], "inputs")
        return replace(self, inputs=inputs, targets=np.zeros((len(inputs), self.widths[-1])))

    def jacobian(self, x):
        """Evaluate the matrix whose Gram matrix is the Gauss-Newton part of the Hessian.

        Parameters
        ----------
        x : array_like, shape (d,)
            The parameters of the network.

        Returns
        -------
        ndarray, shape (n_samples * lL, d)
            Row ``m * lL + i`` holds the derivatives of output i for sample m, times
            sqrt(2 / n_samples), so that ``J.T @ J`` is that part of the Hessian.
        """
        x = check.point(x, self.n_parameters, "x")
        out = np.zeros((self.targets.size, x.size))
        _jacobian(x, self.numbers(), out)
        return out


def relu_network(widths, inputs, targets, slope=0.0, skip="none", layer_norm=False, eps=1e-5):
    r"""The mean squared error of a fully connected ReLU network, as a function of its parameters.

    The network has hidden layers :math:`h_k=\sigma(W_kh_{k-1}+b_k)` for :math:`1\le k<L`, with
    the input as :math:`h_0` and :math:`\sigma(z)=\max(z,0)`, and the affine output
    :math:`N_\theta(x)=W_Lh_{L-1}+b_L`. The risk is

    .. math:: \frac1M\sum_{m=1}^M\|N_\theta(x_m)-y_m\|^2,

    the mean over the samples of the squared norm, without a factor 1/2.

    Parameters
    ----------
    widths : sequence of int
        Widths :math:`l_0,\dots,l_L` of all layers, inputs and outputs included: (1, 8, 1) has
        one hidden layer of 8 neurons. At least two numbers, each at least 1.
    inputs : array_like, shape (M, l0), or (M,) where l0 is 1
        The inputs :math:`x_m`.
    targets : array_like, shape (M, lL), or (M,) where lL is 1
        The targets :math:`y_m`.
    slope : float
        Slope of the activation for negative numbers, from 0 (ReLU) to 1: LeakyReLU's
        ``negative_slope``. It is also what the gradient takes for the derivative at 0, so for
        ReLU that derivative is 0.
    skip : str
        "none"; "residual": :math:`h_k=h_{k-1}+\sigma(W_kh_{k-1}+b_k)` in every hidden layer but
        the first, which needs two hidden layers or more, all of one width; or "input_output":
        :math:`N_\theta(x)=W_Lh_{L-1}+b_L+Sx` with a trainable matrix S.
    layer_norm : bool
        Whether each hidden layer's :math:`W_kh_{k-1}+b_k` is shifted to mean 0 over its neurons
        and divided by the square root of its variance (mean of squares) plus `eps`, for each
        sample, before the activation. Without trainable gain and bias.
    eps : float
        Added to that variance, positive.

    Returns
    -------
    Problem
        With dimension :math:`\sum_k l_k(l_{k-1}+1)`, and :math:`l_Ll_0` more with "input_output".
        A point lists for each layer the matrix :math:`W_k`, of shape (l_k, l_{k-1}), row by row,
        then the bias :math:`b_k`; at the end S, row by row (see `pack` and `unpack`). The problem
        is a mean over `n_samples` = M samples; constant "target_variance" is the risk of the best
        constant output. `data` is a `ReluNetwork` with the arrays and `jacobian`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> x = [-1.0, -0.5, 0.0, 0.5, 1.0]
    >>> network = problems.relu_network((1, 2, 1), x, [abs(t) for t in x])
    >>> network.dimension, network.constants["target_variance"]
    (7, 0.14)
    >>> network.value([1, -1, 0, 0, 1, 1, 0])   # |x| is the sum of two ReLU neurons
    0.0

    Notes
    -----
    Fully connected ReLU networks, without skip and layer norm, are the subject of Do, Hannibal
    and Jentzen (2024). The gradient is what back-propagation gives with ReLU'(0) = 0. The
    Hessian-vector product is exact wherever no number enters an activation at 0, that is, almost
    everywhere. Used in all notebooks of part 5.
    """
    widths = layer_widths(widths, skip)
    inputs = columns(inputs, widths[0], "inputs")
    targets = columns(targets, widths[-1], "targets")
    if len(inputs) != len(targets):
        raise ValueError(
            f"targets must have one row for each of the {len(inputs)} inputs; got {len(targets)}"
        )
    data = ReluNetwork(
        widths=widths,
        inputs=_read_only(inputs),
        targets=_read_only(targets),
        slope=check.number(slope, "slope", low=0.0, high=1.0),
        skip=skip,
        layer_norm=check.flag(layer_norm, "layer_norm"),
        eps=check.positive(eps, "eps"),
    )
    with np.errstate(over="ignore", invalid="ignore"):
        variance = float(((targets - targets.mean(axis=0)) ** 2).sum(axis=1).mean())
    if not np.isfinite(variance):
        raise ValueError("targets must be small enough that their squares do not overflow")
    return Problem(
        name="ReLU network " + "-".join(map(str, widths)),
        dimension=data.n_parameters,
        value_kernel=_value,
        gradient_kernel=_gradient,
        hvp_kernel=_hvp,
        parameters=data.numbers(),
        constants={"target_variance": variance, "smoothness": np.inf},
        formula=r"\tfrac1M\sum_m\|N_\theta(x_m)-y_m\|^2",
        n_samples=len(inputs),
        batch_value_kernel=_batch_value,
        batch_gradient_kernel=_batch_gradient,
        batch_hvp_kernel=_batch_hvp,
        data=data,
    )


def pack(layers, shortcut=None):
    """Lay the weights and biases of a network out as a point of `relu_network`.

    Parameters
    ----------
    layers : sequence of pairs
        For each layer its matrix, shape (l_k, l_{k-1}), and its bias, shape (l_k,).
    shortcut : array_like, shape (lL, l0), optional
        The matrix S of the skip "input_output".

    Returns
    -------
    ndarray, shape (d,)
        All numbers: for each layer the matrix row by row, then the bias; at the end `shortcut`.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together; the message says which.

    Examples
    --------
    >>> from lib import problems
    >>> problems.pack([([[1], [-1]], [0, 0]), ([[1, 1]], [5])]).tolist()
    [1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 5.0]

    Notes
    -----
    Used in "Nine optimizers, one theorem" and "Five results, one picture".
    """
    parts = []
    below = None
    for number, (weights, bias) in enumerate(_pairs(layers), start=1):
        weights = check.matrix(weights, f"layers (matrix {number})")
        if below is not None and weights.shape[1] != below:
            raise ValueError(
                f"layers (matrix {number}) must have {below} columns, one for each neuron below; "
                f"got shape {weights.shape}"
            )
        below = len(weights)
        parts += [weights, check.point(bias, below, f"layers (bias {number})")]
    if not parts:
        raise ValueError("layers must hold at least one pair of matrix and bias; got none")
    if shortcut is not None:
        shortcut = check.matrix(shortcut, "shortcut")
        wanted = (below, parts[0].shape[1])
        if shortcut.shape != wanted:
            raise ValueError(f"shortcut must have shape {wanted}; got shape {shortcut.shape}")
        parts.append(shortcut)
    return np.concatenate([part.ravel() for part in parts])


def unpack(problem, theta):
    """Take a point of `relu_network` apart into weights and biases.

    Parameters
    ----------
    problem : Problem
        Made by `relu_network`.
    theta : array_like, shape (d,)
        The point.

    Returns
    -------
    layers : tuple of pairs of ndarray
        For each layer its matrix, shape (l_k, l_{k-1}), and its bias, shape (l_k,).
    shortcut : ndarray, shape (lL, l0), or None
        The matrix S of the skip "input_output", None without one.

    Raises
    ------
    TypeError, ValueError
        If `problem` is another problem, or `theta` has another shape.

    Examples
    --------
    >>> from lib import problems
    >>> network = problems.relu_network((1, 2, 1), [0.0, 1.0], [0.0, 1.0])
    >>> layers, shortcut = problems.unpack(network, [1, 2, 3, 4, 5, 6, 7])
    >>> [(weights.tolist(), bias.tolist()) for weights, bias in layers]
    [([[1.0], [2.0]], [3.0, 4.0]), ([[5.0, 6.0]], [7.0])]

    Notes
    -----
    The arrays are copies; `pack` is the way back. Used in "Dead neurons stay dead", "Nine
    optimizers, one theorem" and "Five results, one picture".
    """
    network = of(problem)
    theta = check.point(theta, problem.dimension, "theta")
    widths = network.widths
    layers = tuple(
        (theta[weights].reshape(len(theta[bias]), -1).copy(), theta[bias].copy())
        for weights, bias in layer_slices(widths)
    )
    if network.skip != "input_output":
        return layers, None
    return layers, theta[parameter_count(widths) :].reshape(widths[-1], widths[0]).copy()


def predict(problem, theta, inputs):
    """Evaluate a network.

    Parameters
    ----------
    problem : Problem
        Made by `relu_network`.
    theta : array_like, shape (d,)
        The parameters of the network.
    inputs : array_like, shape (n, l0), or (n,) where l0 is 1
        Where to evaluate it; these need not be the problem's own inputs.

    Returns
    -------
    ndarray, shape (n, lL)
        The outputs.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape; the message names it.

    Examples
    --------
    >>> from lib import problems
    >>> network = problems.relu_network((1, 2, 1), [0.0, 1.0], [0.0, 1.0])
    >>> problems.predict(network, [1, -1, 0, 0, 1, 1, 0], [-2.0, 0.0, 3.0]).tolist()
    [[2.0], [0.0], [3.0]]

    Notes
    -----
    Infinite or NaN where the arithmetic overflows.

    Used in all notebooks of part 5, to draw what a network has learnt.
    """
    return _all_states(problem, theta, inputs, False)[:, -of(problem).widths[-1] :].copy()


def hidden_activations(problem, theta, inputs, before=False):
    """Evaluate the hidden layers of a network.

    Parameters
    ----------
    problem : Problem
        Made by `relu_network`.
    theta : array_like, shape (d,)
        The parameters of the network.
    inputs : array_like, shape (n, l0), or (n,) where l0 is 1
        Where to evaluate it.
    before : bool
        Whether to return what enters the activations (after a layer norm) instead of the
        outputs of the layers.

    Returns
    -------
    tuple of ndarray, shape (n, l_k)
        One array for each hidden layer.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape; the message names it.

    Examples
    --------
    >>> from lib import problems
    >>> network = problems.relu_network((1, 2, 1), [0.0, 1.0], [0.0, 1.0])
    >>> (hidden,) = problems.hidden_activations(network, [1, -1, 0, 0, 1, 1, 0], [-2.0, 3.0])
    >>> hidden.tolist()
    [[0.0, 2.0], [3.0, 0.0]]

    Notes
    -----
    Infinite or NaN where the arithmetic overflows.

    Used in "Nine optimizers, one theorem".
    """
    states = _all_states(problem, theta, inputs, check.flag(before, "before"))
    return split_layers(states, of(problem).widths)


def peak_activations(problem, theta):
    """Find the largest number that enters each hidden neuron's activation on the training data.

    Parameters
    ----------
    problem : Problem
        Made by `relu_network`.
    theta : array_like, shape (d,) or (n, d)
        The parameters of one network or of many.

    Returns
    -------
    tuple of ndarray, shape (l_k,) or (n, l_k)
        One array for each hidden layer.
    """
    widths = of(problem).widths
    single = np.ndim(theta) == 1
    if single:
        thetas = check.point(theta, problem.dimension, "theta")[None]
    else:
        thetas = check.points(theta, problem.dimension, "theta")
    out = np.empty((len(thetas), sum(widths[1:-1])))
    _peaks(thetas, problem.parameters, out)
    return split_layers(out[0] if single else out, widths)


def split_layers(states, widths):
    """Split the last axis, which begins with the neurons of all hidden layers, into layers."""
    ends = np.cumsum(widths[1:-1])
    return tuple(
        states[..., end - width : end].copy() for end, width in zip(ends, widths[1:-1], strict=True)
    )


def layer_widths(widths, skip="none"):
    """Return `widths` as a tuple of whole numbers that allow the skip."""
    widths = check.sequence(widths, "widths", "whole numbers")
    if len(widths) < 2:
        raise ValueError(f"widths must hold at least those of input and output; got {widths!r}")
    widths = tuple(check.integer(width, "widths", low=1) for width in widths)
    hidden = widths[1:-1]
    if check.choice(skip, "skip", SKIPS) == "residual" and (
        len(hidden) < 2 or len(set(hidden)) > 1
    ):
        raise ValueError(
            "widths must hold two hidden layers or more, all of one width, for the skip "
            f"'residual'; got {widths!r}"
        )
    check.room(parameter_count(widths, skip), "widths")
    return widths


def parameter_count(widths, skip="none"):
    """Return the number of weights and biases."""
    layers = sum(width * (below + 1) for below, width in zip(widths[:-1], widths[1:], strict=True))
    return layers + (widths[-1] * widths[0] if skip == "input_output" else 0)


def layer_slices(widths):
    """Return for each layer where its weights and where its biases are in a point."""
    slices = []
    at = 0
    for below, width in zip(widths[:-1], widths[1:], strict=True):
        bias = at + width * below
        slices.append((slice(at, bias), slice(bias, bias + width)))
        at = bias + width
    return slices


def columns(x, width, name):
    """Return `x` as a matrix with that many columns; a vector will do where it is 1."""
    array = check.floats(x, name)
    array = check.matrix(array[:, None] if array.ndim == 1 and width == 1 else array, name)
    if array.shape[1] != width:
        raise ValueError(
            f"{name} must have shape (n, {width}), one sample per row; got shape {array.shape}"
        )
    return array


def of(problem):
    """Return the `ReluNetwork` of a problem."""
    check.instance(problem, "problem", Problem, "a Problem made by lib.problems.relu_network")
    wanted = "one made by lib.problems.relu_network, with its data"
    return check.instance(problem.data, "problem", ReluNetwork, wanted)


def _all_states(problem, theta, inputs, before):
    """Return what leaves or enters the activations, and the outputs, one row per input."""
    network = of(problem).with_inputs(inputs)
    theta = check.point(theta, problem.dimension, "theta")
    out = np.empty((len(network.inputs), sum(network.widths[1:])))
    _states(theta, network.numbers(), before, out)
    return out + 0.0  # 0 instead of -0, which a slope of 0 makes of negative numbers


def _pairs(layers):
    """Return `layers` as a list of pairs."""
    try:
        return [(weights, bias) for weights, bias in check.sequence(layers, "layers", "pairs")]
    except (TypeError, ValueError):
        raise TypeError(
            f"layers must be a sequence of pairs of matrix and bias; got {check.shown(layers)}"
        ) from None


def _read_only(array):
    array.setflags(write=False)
    return array
