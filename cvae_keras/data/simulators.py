"""The simulators of the benchmark sbibm: data x drawn given parameters theta, in NumPy."""

import numpy as np

POPULATION = 1e6  # persons of the epidemic
TESTED = 1000  # persons tested each time
DAYS = np.arange(0.0, 154.0, 17.0)  # of the ten tests
TIMES = 2.1 * np.arange(10)  # of the ten counts of both species
TOLERANCE = 1e-5  # of the logarithm of every solution
HALVINGS = 10  # of the step, at most
ROWS = 2000  # solved at once: their arrays stay in the cache


def two_moons(theta, rng):
    """Points of a half circle, moved by theta so that two thetas give each of them.

    `x = (r cos a + 1/4, r sin a) + (-|t1 + t2|, t2 - t1) / sqrt 2`,
    `a ~ U(-pi/2, pi/2)`, `r ~ N(0.1, 0.01^2)`

    Args:
        theta: `(n, 2)`.
        rng: `numpy.random.Generator`.

    Returns:
        `(n, 2)`.

    Example:
        >>> x = two_moons(np.zeros((100, 2)), np.random.default_rng(0))
        >>> bool(x[:, 0].min() > 0.2)
        True
    """
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(theta))
    radius = rng.normal(0.1, 0.01, len(theta))
    first, second = theta.T
    moved = np.stack([-np.abs(first + second), second - first], axis=1) / np.sqrt(2)
    return moved + np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], axis=1)


def gaussian_mixture(theta, rng):
    """A wide or a narrow Gaussian around theta: `x ~ (N(theta, I) + N(theta, 0.1^2 I)) / 2`.

    Args and returned shape are those of `two_moons`.
    """
    deviation = np.where(rng.random((len(theta), 1)) < 0.5, 1.0, 0.1)
    return theta + deviation * rng.standard_normal(theta.shape)


def gaussian_linear(theta, rng):
    """`x ~ N(theta, I / 10)`.

    Args:
        theta: `(n, d)`.
        rng: `numpy.random.Generator`.

    Returns:
        `(n, d)`.
    """
    return theta + np.sqrt(0.1) * rng.standard_normal(theta.shape)


def slcp(theta, rng):
    """Four draws of a Gaussian in the plane: simple likelihood, complex posterior.

    `x_k ~ N((t1, t2), S)`, the deviations are `t3^2` and `t4^2`, the correlation is `tanh t5`

    Args:
        theta: `(n, 5)`.
        rng: `numpy.random.Generator`.

    Returns:
        `(n, 8)`, both coordinates of the first draw first.
    """
    first, second = np.moveaxis(rng.standard_normal((len(theta), 4, 2)), -1, 0)
    mean, scale, correlation = theta[:, None, :2], theta[:, None, 2:4] ** 2, np.tanh(theta[:, 4:])
    second = correlation * first + second / np.cosh(theta[:, 4:])
    return (mean + scale * np.stack([first, second], axis=-1)).reshape(len(theta), 8)


def sir(theta, rng):
    """Positive tests among 1,000 persons, on ten days of an epidemic.

    `x_i ~ Binomial(1000, I(t_i) / 10^6)`, I from `solve_sir`

    Args:
        theta: `(n, 2)`, the rates of contact and of recovery, a day.
        rng: `numpy.random.Generator`.

    Returns:
        `(n, 10)`.
    """
    infected = solve_sir(theta, DAYS)[..., 1]
    return rng.binomial(TESTED, np.clip(infected / POPULATION, 0.0, 1.0)).astype(float)


def solve_sir(theta, times):
    """Susceptible, infected and recovered persons.

    `S' = -beta S I / N`, `I' = beta S I / N - gamma I`, `R = N - S - I`, from S = N - 1, I = 1

    Args:
        theta: `(n, 2)`, beta and gamma, positive, a day.
        times: `(k,)` days, from 0, equally far apart.

    Returns:
        `(n, k, 3)` persons.

    Source: Kermack and McKendrick, "A contribution to the mathematical theory of epidemics", 1927.

    Example:
        >>> solve_sir(np.array([[0.4, 0.125]]), DAYS)[0, -1].round(-3).tolist()
        [47000.0, 0.0, 953000.0]
    """

    def slope(logs, beta, gamma):
        contacts = beta / POPULATION
        return np.stack([-contacts * np.exp(logs[1]), contacts * np.exp(logs[0]) - gamma])

    persons = np.exp(_solve(slope, np.log([POPULATION - 1, 1.0]), theta, times))
    recovered = POPULATION - persons.sum(axis=-1, keepdims=True)
    return np.concatenate([persons, recovered], axis=-1)


def lotka_volterra(theta, rng):
    """Counts of prey and predators at ten times.

    `x_i ~ LogNormal(log of the solution at t_i, 0.1)`, from `solve_lotka_volterra`

    Args:
        theta: `(n, 4)`, the rates a, b, c, d.
        rng: `numpy.random.Generator`.

    Returns:
        `(n, 20)`, ten counts of the prey first. The solution is clipped to [1e-10, 1e4] before.
    """
    logs = np.log(np.clip(solve_lotka_volterra(theta, TIMES), 1e-10, 1e4))
    logs = np.swapaxes(logs, 1, 2).reshape(len(theta), 20)
    return np.exp(logs + 0.1 * rng.standard_normal(logs.shape))


def solve_lotka_volterra(theta, times):
    """Prey x and predators y.

    `x' = a x - b x y`, `y' = -c y + d x y`, from x = 30, y = 1

    Args:
        theta: `(n, 4)`, the rates a, b, c, d, positive.
        times: `(k,)`, from 0, equally far apart.

    Returns:
        `(n, k, 2)`.

    Source: Lotka, "Analytical note on certain rhythmic relations in organic systems", 1920.

    Example:
        >>> solve_lotka_volterra(np.array([[0.9, 0.05, 0.9, 0.05]]), TIMES)[0, 1].round(1).tolist()
        [35.6, 76.6]
    """

    def slope(logs, a, b, c, d):
        prey, predators = np.exp(logs)
        return np.stack([a - b * predators, d * prey - c])

    return np.exp(_solve(slope, np.log([30.0, 1.0]), theta, times))


def _solve(slope, start, theta, times):
    """Solutions `(n, k, states)` of `state' = slope(state, *parameters)`, `(states, n)` each.

    Classical Runge-Kutta steps, the same for all rows at first. A row is solved again with half the
    step until that changes it by less than 15 `TOLERANCE`, so that its own error is below it.
    """
    theta = np.asarray(theta, float)
    states = np.empty((len(theta), len(times), len(start)))
    for first in range(0, len(theta), ROWS):
        rows, steps = np.arange(first, min(first + ROWS, len(theta))), 16
        before = _runge_kutta(slope, start, theta[rows], times, steps)
        for _ in range(HALVINGS):
            steps *= 2
            states[rows] = now = _runge_kutta(slope, start, theta[rows], times, steps)
            with np.errstate(invalid="ignore"):  # infinity less infinity: not below
                change = np.abs(now - before).max(axis=(1, 2))
            coarse = ~(change < 15 * TOLERANCE)  # the error falls by 2^4, so 15 times that of now
            rows, before = rows[coarse], now[coarse]
            if not len(rows):
                break
        else:
            raise ValueError(
                f"theta has {len(rows)} rows whose solution needs more than {steps} steps, the "
                f"first is {theta[rows[0]].tolist()}: give smaller rates."
            )
    return states


def _runge_kutta(slope, start, theta, times, steps):
    """Solutions `(n, k, states)` with so many steps between two times."""
    h = (times[1] - times[0]) / steps
    state = np.repeat(start[:, None], len(theta), axis=1)
    states, parameters = [state], theta.T
    with np.errstate(over="ignore", invalid="ignore"):  # steps too large: NaN, and halved
        for _ in range((len(times) - 1) * steps):
            first = slope(state, *parameters)
            second = slope(state + h / 2 * first, *parameters)
            third = slope(state + h / 2 * second, *parameters)
            fourth = slope(state + h * third, *parameters)
            state = state + h / 6 * (first + 2 * second + 2 * third + fourth)
            states.append(state)
    return np.moveaxis(np.stack(states[::steps]), (0, 1, 2), (1, 2, 0))
