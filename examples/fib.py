"""Return the n-th Fibonacci number: fib(0) is 0, fib(1) is 1, and each later one is the sum of the two before it."""


def fib(n: int) -> int: ...


assert fib(0) == 0
assert fib(1) == 1
assert fib(10) == 55
