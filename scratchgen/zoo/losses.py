"""Mistakes in losses, and in softmax below them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import CaughtByGradient, Entry, Outcome
from scratchgen.zoo.tools import clusters, descend, layer_error, loss_error, random_generator, softmax, tail

LABELS = np.array([0, 2, 1, 1, 0])


class Softmax:
    """Probabilities of each row."""

    @staticmethod
    def forward(logits):
        out = softmax(logits)
        return out, out

    @staticmethod
    def backward(dout, out):
        return (out * (dout - (dout * out).sum(axis=1, keepdims=True)),)


class CrossEntropy:
    """The mean over the batch of −log p(label), and its gradient."""

    @staticmethod
    def loss(logits, labels):
        n = np.arange(len(labels))
        p = softmax(logits)
        dlogits = p.copy()
        dlogits[n, labels] -= 1
        return -np.log(p[n, labels]).mean(), (dlogits / len(labels),)


class SquaredError:
    """pred (N, 1) against target (N,), averaged over the batch."""

    @staticmethod
    def loss(pred, target):
        diff = pred - target[:, None]
        return (diff**2).sum() / len(pred), (2 / len(pred) * diff,)


def train_classifier(loss: Any, *, lr: float = 0.5, steps: int = 200) -> Outcome:
    """Softmax regression on three clusters that overlap: the cross-entropy, by the right formula."""
    x, labels = clusters(96, spread=1.0)
    shown: list[float] = []

    def gradient(step, weight, bias):
        logits = x @ weight + bias
        shown.append(CrossEntropy.loss(logits, labels)[0])
        number, (dlogits,) = loss(logits, labels)
        return number, (x.T @ dlogits, dlogits.sum(axis=0))

    descend(gradient, (np.zeros((2, 3)), np.zeros(3)), lr=lr, steps=steps)
    return Outcome(tail(np.array(shown)), np.array(shown))


class SoftmaxDiagonal(CaughtByGradient):
    title = "softmax's backward uses only the diagonal of the Jacobian"
    symptom = "The loss stays too high: with −log p, only the label's logit is ever pushed, and upwards."
    numbers = (0.467, 0.602)
    measure = "training loss at the end"
    apart = 0.01
    fix = "Every output depends on every logit: dx = p·(dout − Σ dout·p)."
    seen = "from-scratch libraries that treat softmax as an activation like the sigmoid"
    where = "scratchgen/distributions.py"
    gradcheck = "SelfAttention"
    exercise = "attention"
    Right = Softmax

    class Wrong(Softmax):
        @staticmethod
        def backward(dout, out):
            return (out * (1 - out) * dout,)

    def gradient_error(self, code: Any) -> float:
        return layer_error(code, random_generator().standard_normal((3, 4)))

    def run(self, code: Any) -> Outcome:
        """Softmax regression with the loss −log p(label); its gradient passes through backward."""
        x, labels = clusters(96, spread=1.0)
        n = np.arange(len(labels))

        def gradient(step, weight):
            p, cache = code.forward(x @ weight)
            dp = np.zeros_like(p)
            dp[n, labels] = -1 / (p[n, labels] * len(x))
            return -np.log(p[n, labels]).mean(), (x.T @ code.backward(dp, cache)[0],)

        losses, _ = descend(gradient, (np.zeros((2, 3)),), lr=0.5, steps=200)
        return Outcome(tail(losses), losses)


class GradientOfSum(CaughtByGradient):
    title = "the loss is a mean over the batch, and its gradient is that of the sum"
    symptom = "The learning rate is N times too large: the loss jumps, and a larger batch makes it worse."
    numbers = (0.466, 3.29)
    measure = "training loss at the end"
    apart = 0.1
    fix = "Divide the gradient by N where the loss is divided by N: in the loss, and nowhere else."
    seen = "exercises with a factor of 2/n in one place and 1/n or 1 in the other"
    where = "scratchgen/losses.py"
    gradcheck = "softmax_cross_entropy"
    exercise = "softmax-cross-entropy"
    Right = CrossEntropy

    class Wrong(CrossEntropy):
        @staticmethod
        def loss(logits, labels):
            n = np.arange(len(labels))
            p = softmax(logits)
            dlogits = p.copy()
            dlogits[n, labels] -= 1
            return -np.log(p[n, labels]).mean(), (dlogits,)

    def gradient_error(self, code: Any) -> float:
        return loss_error(code.loss, random_generator().standard_normal((5, 3)), fixed=(LABELS,))

    def run(self, code: Any) -> Outcome:
        return train_classifier(code.loss)


class SoftmaxTwice(Entry):
    title = "softmax is applied before a cross-entropy that expects logits"
    symptom = "The accuracy may be good, but the loss cannot fall below log(1 + (K − 1)/e), 0.55 for K = 3."
    numbers = (0.0198, 0.57)
    measure = "the loss that is reported at the end"
    apart = 0.3
    caught_by = "closed form: a certain and right prediction has a loss of 0"
    bound = 1e-6
    passes_gradient_check = True
    fix = "Give logits to a loss on logits. The names of the library say which is expected."
    seen = "classifiers with a softmax layer at the end, trained with a framework's cross-entropy"
    where = "scratchgen/losses.py"
    gradcheck = "softmax_cross_entropy"
    exercise = "softmax-cross-entropy"
    Right = CrossEntropy

    class Wrong(CrossEntropy):
        @staticmethod
        def loss(logits, labels):
            p = softmax(logits)
            loss, (dp,) = CrossEntropy.loss(p, labels)
            return loss, Softmax.backward(dp, p)

    def gradient_error(self, code: Any) -> float:
        return loss_error(code.loss, random_generator().standard_normal((5, 3)), fixed=(LABELS,))

    def check(self, code: Any) -> float:
        certain = 50.0 * (np.arange(3) == LABELS[:, None])
        return float(code.loss(certain, LABELS)[0])

    def run(self, code: Any) -> Outcome:
        x, labels = clusters(96)

        def gradient(step, weight):
            loss, (dlogits,) = code.loss(x @ weight, labels)
            return loss, (x.T @ dlogits,)

        losses, _ = descend(gradient, (np.zeros((2, 3)),), lr=0.5, steps=200)
        return Outcome(tail(losses), losses)


class TargetBroadcast(Entry):
    title = "predictions (N, 1) minus targets (N,) gives an array (N, N)"
    symptom = "Every prediction moves to the mean of all targets, and the loss stays at their variance."
    numbers = (2.02, 0.0)
    measure = "standard deviation of the predictions"
    direction = "lower"
    apart = 0.5
    caught_by = "closed form: a perfect prediction has a loss of 0"
    bound = 1e-12
    passes_gradient_check = True
    fix = "Give both arrays the same shape, and refuse shapes that differ, as the losses here do."
    seen = "regression with any array library that broadcasts, with one output unit"
    where = "scratchgen/losses.py"
    gradcheck = "squared_error"
    exercise = "squared-error"
    Right = SquaredError

    class Wrong(SquaredError):
        @staticmethod
        def loss(pred, target):
            diff = pred - target
            dpred = 2 / diff.size * diff.sum(axis=1, keepdims=True)
            return (diff**2).mean(), (dpred,)

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        return loss_error(code.loss, rng.standard_normal((5, 1)), fixed=(rng.standard_normal(5),))

    def check(self, code: Any) -> float:
        target = np.arange(5.0)
        return float(code.loss(target[:, None], target)[0])

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        x = rng.standard_normal((64, 2))
        target = x @ [1.0, -2.0]

        def gradient(step, weight, bias):
            loss, (dpred,) = code.loss(x @ weight + bias, target)
            return loss, (x.T @ dpred, dpred.sum(axis=0))

        losses, (weight, _) = descend(gradient, (np.ones((2, 1)), np.zeros(1)), lr=0.1, steps=100)
        return Outcome(float((x @ weight).std()), losses)
