/**
 * Python source, shared by the program runner and the trusted judge, of the two encodings of a value.
 *
 * `canonical(value)`: text such that equal Python values have equal text (1 == 1.0 == True, 0.0 == -0.0, set ==
 * frozenset, bytes == bytearray, dicts and sets without order) and different values have different text. Anything that
 * is not a builtin value, or contains NaN, is too deep or too large, gives `?0` or `?1` (its truth) and the type's name:
 * text that the caller never treats as a match. Long text is replaced by its length and SHA-256, which start with `#`. Instances of subclasses of builtin types are encoded by the value
 * underneath, read with the builtin type's own methods, so an overridden `__eq__`, `__iter__` or `__hash__` changes
 * nothing.
 *
 * `typed(value)`: JSON that also keeps the type (1, 1.0 and True differ), from which `untyped` of the judge builds the
 * value again, but for large values, of which it has the digest of the canonical text. `shown(value)`: a repr of at most `SHOWN` characters, built without walking more than that.
 *
 * The source runs with a private copy of the builtins, so that a program that patches `len` or `isinstance` does not
 * reach it.
 */
export const ENCODING_PYTHON = String.raw`
import math, fractions, decimal, collections, hashlib, sys
from _json import encode_basestring_ascii as quote

# The judges that problems come from print integers of any length; the limit on CPU time stays.
if hasattr(sys, 'set_int_max_str_digits'):
    sys.set_int_max_str_digits(0)

# Of text that is sent as it is, and of what is walked at all: beyond the first a digest stands for the value.
MAX_NODES, MAX_TEXT = 200_000, 1 << 20
MAX_WALKED_NODES, MAX_WALKED_TEXT = 4_000_000, 1 << 26
# Of long lists and tuples, whose text is never held as a whole; the job's CPU time bounds these.
MAX_STREAMED_NODES, MAX_STREAMED_TEXT = 1 << 28, 1 << 32
LONG, PIECE = 20_000, 4096
TEXTS = frozenset((str,))
MAX_DEPTH = 100
MAX_EXPONENT = 5000
SHOWN = 400
Fraction, Decimal, deque = fractions.Fraction, decimal.Decimal, collections.deque
INFINITY, sha256 = math.inf, hashlib.sha256
type_name = type.__dict__['__name__'].__get__
type_mro = type.__dict__['__mro__'].__get__


class Opaque(Exception):
    pass


def fraction_parts(v):
    return (v._numerator, v._denominator) if type(v._numerator) is int and type(v._denominator) is int else None


# The builtin type an instance is to be read as, and how to get a plain value of that type out of it.
PLAIN = (
    (dict, lambda v: list(dict.items(v))), (list, lambda v: list(list.__iter__(v))),
    (tuple, lambda v: list(tuple.__iter__(v))), (str, lambda v: str.__getitem__(v, slice(None, None)) if type(v) is str else ''.join(str.__iter__(v))),
    (int, lambda v: int.__index__(v) + 0 if type(v) is int else int.__add__(v, 0)), (float, lambda v: float.__add__(v, 0.0)),
    (complex, lambda v: complex.__add__(v, 0j)), (set, lambda v: list(set.__iter__(v))),
    (frozenset, lambda v: list(frozenset.__iter__(v))), (bytes, lambda v: bytes.__add__(v, b'')),
    (bytearray, lambda v: bytes(bytearray.__add__(v, b''))), (deque, lambda v: list(deque.__iter__(v))),
)
PLAIN_OF = {base: read for base, read in PLAIN}
# Other types whose instances count as values; read only when the type is exactly this one.
EXACT = frozenset((type(None), bool, range, Fraction, Decimal, type(Ellipsis)))


def kind_of(v):
    t = type(v)
    if t in PLAIN_OF or t in EXACT:
        return t
    for base in type_mro(t):
        if base in PLAIN_OF:
            return base
    raise Opaque


def number(top, bottom):
    return 'q%x/%x' % (top, bottom)


def real(v):
    if v != v:
        raise Opaque
    if v == INFINITY:
        return 'q+'
    if v == -INFINITY:
        return 'q-'
    return 'q%x/1' % int(v) if v.is_integer() else number(*v.as_integer_ratio())


def rational(v, t):
    if t is Fraction:
        parts = fraction_parts(v)
        if parts is None:
            raise Opaque
        return number(*parts)
    if v.is_finite():
        if abs(v.adjusted()) > MAX_EXPONENT:
            raise Opaque
        return number(*v.as_integer_ratio())
    if v.is_nan():
        raise Opaque
    return 'q+' if v > 0 else 'q-'


class Budget:
    __slots__ = ('nodes', 'text')

    def __init__(self, nodes, text):
        self.nodes = nodes
        self.text = text

    def spend(self, nodes, text):
        self.nodes -= nodes
        self.text -= text
        if self.nodes < 0 or self.text < 0:
            raise Opaque


def encode(v, depth, budget):
    t = type(v)
    if t is int:
        s = number(v, 1)
        budget.spend(1, len(s))
        return s
    if t is str:
        budget.spend(1, len(v))
        return 's%d:%s' % (len(v), v)
    if v is None:
        return 'N'
    if depth > MAX_DEPTH:
        raise Opaque
    t = kind_of(v)
    budget.spend(1, 4)
    if t is bool:
        return 'q1/1' if v is True else 'q0/1'
    if t is list or t is tuple or t is deque:
        items = PLAIN_OF[t](v)
        budget.spend(len(items), 0)
        left, right = ('[', ']') if t is list else ('(', ')') if t is tuple else ('D(', ')')
        if len(items) > 8 and frozenset(map(type, items)) == TEXTS:
            budget.spend(0, sum(map(len, items)))
            return left + ','.join([f's{len(item)}:{item}' for item in items]) + right
        return left + ','.join([encode(item, depth + 1, budget) for item in items]) + right
    if t is dict:
        items = PLAIN_OF[t](v)
        budget.spend(len(items), 0)
        return 'd{' + ','.join(sorted([encode(k, depth + 1, budget) + '=' + encode(w, depth + 1, budget) for k, w in items])) + '}'
    if t is set or t is frozenset:
        items = PLAIN_OF[t](v)
        budget.spend(len(items), 0)
        return '{' + ','.join(sorted([encode(item, depth + 1, budget) for item in items])) + '}'
    if t is int or t is str:
        return encode(PLAIN_OF[t](v), depth, budget)
    if t is float:
        return real(PLAIN_OF[t](v))
    if t is complex:
        w = PLAIN_OF[t](v)
        return real(w.real) if w.imag == 0 else 'c' + real(w.real) + ',' + real(w.imag)
    if t is bytes or t is bytearray:
        w = PLAIN_OF[t](v)
        budget.spend(0, 2 * len(w))
        return 'b' + w.hex()
    if t is range:
        n = (v.stop - v.start + v.step - (1 if v.step > 0 else -1)) // v.step
        if n <= 0:
            return 'r'
        return 'r%x,%x' % (n, v.start) + (',%x' % v.step if n > 1 else '')
    if t is Fraction or t is Decimal:
        return rational(v, t)
    return 'E'


def opaque(v):
    try:
        truth = '1' if v else '0'
    except BaseException as e:
        if isinstance(e, MemoryError):
            raise
        truth = '0'
    return '?' + truth + type_name(type(v))[:60]


def digest(s):
    return '#%x:' % len(s) + sha256(s.encode('utf-8', 'surrogatepass')).hexdigest()


def stream(v, left, right):
    # The text of a long list or tuple, or its digest, piece by piece.
    budget = Budget(MAX_STREAMED_NODES, MAX_STREAMED_TEXT)
    budget.spend(len(v), 0)
    hashed, size, kept = sha256(), 0, []
    for start in range(0, len(v), PIECE):
        items = [encode(item, 1, budget) for item in v[start:start + PIECE]]
        piece = (left if start == 0 else ',') + ','.join(items) + (right if start + PIECE >= len(v) else '')
        hashed.update(piece.encode('utf-8', 'surrogatepass'))
        size += len(piece)
        if size <= 4 * MAX_TEXT:
            kept.append(piece)
    return ''.join(kept) if size <= 4 * MAX_TEXT else '#%x:' % size + hashed.hexdigest()


def canonical(v):
    try:
        if type(v) is list and len(v) > LONG:
            return stream(v, '[', ']')
        if type(v) is tuple and len(v) > LONG:
            return stream(v, '(', ')')
        s = encode(v, 0, Budget(MAX_WALKED_NODES, MAX_WALKED_TEXT))
        return s if len(s) <= 4 * MAX_TEXT else digest(s)
    except MemoryError:
        raise
    except Exception:
        pass
    return opaque(v)


def encode_typed(v, depth, budget):
    if v is None:
        return 'null'
    if v is True:
        return 'true'
    if v is False:
        return 'false'
    try:
        if depth > MAX_DEPTH:
            raise Opaque
        t = kind_of(v)
        if t is int:
            s = '%x' % PLAIN_OF[t](v)
        elif t is str:
            s = quote(PLAIN_OF[t](v))
            budget.spend(1, len(s))
            return s
        elif t is float:
            s = PLAIN_OF[t](v).hex()
        elif t is complex:
            w = PLAIN_OF[t](v)
            s = w.real.hex() + ' ' + w.imag.hex()
        elif t is bytes or t is bytearray:
            s = PLAIN_OF[t](v).hex()
        elif t is range:
            s = '%x %x %x' % (v.start, v.stop, v.step)
        elif t is Fraction:
            s = '%x %x' % fraction_parts(v)
        elif t is Decimal:
            s = Decimal.__str__(v)
        elif t in PLAIN_OF:
            items = PLAIN_OF[t](v)
            budget.spend(len(items), 0)
            if t is dict:
                items = [w for item in items for w in item]
            return '["%s",%s]' % (type_name(t), '[' + ','.join([encode_typed(w, depth + 1, budget) for w in items]) + ']')
        else:
            s = ''
        budget.spend(1, len(s) + 12)
        return '["%s",%s]' % (type_name(t), quote(s))
    except Opaque:
        if budget.nodes < 0 or budget.text < 0:
            raise
        return '["?",%s]' % quote(opaque(v))


def typed(v):
    budget = Budget(MAX_NODES, MAX_TEXT)
    try:
        return encode_typed(v, 0, budget)
    except MemoryError:
        raise
    except Exception:
        if budget.nodes >= 0 and budget.text >= 0:
            return '["?",%s]' % quote(opaque(v))
    s = canonical(v)
    return '["%s",%s]' % ('?' if s[0] == '?' else '#', quote(s if s[0] in '?#' else digest(s)))


def show(v, room):
    t = type(v)
    if t is str or t is bytes:
        return repr(v[:room]) if len(v) > room else repr(v)
    if t is int:
        return repr(v) if v.bit_length() < 2000 else hex(v)[:room]
    if t is float or t is complex or t is bool or v is None:
        return repr(v)
    if t in (list, tuple, set, frozenset, dict):
        if room <= 0:
            return '...'
        if not v:
            return repr(v)
        parts = []
        if t is dict:
            for k, w in v.items():
                s = show(k, room - 2) + ': '
                s += show(w, room - len(s))
                parts.append(s)
                room -= len(s) + 2
                if room <= 0:
                    break
        else:
            for w in v:
                s = show(w, room - 2)
                parts.append(s)
                room -= len(s) + 2
                if room <= 0:
                    break
        if len(parts) < len(v):
            parts.append('...')
        body = ', '.join(parts)
        if t is list:
            return '[' + body + ']'
        if t is tuple:
            return '(' + body + (',)' if len(v) == 1 else ')')
        return '{' + body + '}' if t is not frozenset else 'frozenset({' + body + '})'
    return str.__str__(repr(v))[:room]


def shown(v):
    try:
        return ''.join(str.__iter__(show(v, SHOWN)[:SHOWN]))
    except MemoryError:
        raise
    except BaseException:
        return '<' + type_name(type(v))[:60] + '>'
`;
