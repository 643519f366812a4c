/**
 * Python source of the judge: `step(json)` reads tests and decides how each is to be graded (`plan`), and runs tests
 * against recorded answers of the program (`replay`). It never sees a program; the program never sees it.
 *
 * A test names things: builtins, modules of the standard library, what the test itself binds, and the rest, which is the
 * program's. Where a statement is `assert EXPRESSION == VALUE` with the expression rooted in a name of the program and
 * a value free of such names, the expression's text goes to the program's process and the value stays here ("split").
 * Every other test is run here, with stand-ins for the program's names: a call whose answer is not recorded yet ends the
 * run with a wish list; the program's process answers; the run starts over, with the same random numbers.
 *
 * What crosses as less than itself (an object, a list with an object in it) stays in the program's process under a name
 * made of its call's place among the calls of the test. Here it is a handle: an expression that begins with that name.
 * Each operation on a handle is a call like any other, so that its answer is recorded and replayed in order. Methods and
 * attributes can be used of every object; what plain values have too (a length, items, truth, a text) only of objects
 * of a class that the test names: elsewhere an object would stand in the place of a plain value and answer as it likes.
 */
import { ENCODING_PYTHON } from "../sandbox/pyodide/encoding-python.mjs";
import { REFERENCE_PYTHON } from "./judge-reference-python.mjs";

export const JUDGE_PYTHON = String.raw`
${ENCODING_PYTHON}
import ast, builtins, json, random, sys, importlib
import cmath, copy, datetime, functools, heapq, itertools, operator, re, statistics, string, time, typing

MAX_CALLS = 5000
MAX_SKIPPED = 5000
MODULES = frozenset((
    'math', 'cmath', 'random', 're', 'string', 'sys', 'os', 'copy', 'itertools', 'functools', 'operator', 'collections',
    'heapq', 'bisect', 'datetime', 'time', 'statistics', 'decimal', 'fractions', 'json', 'typing', 'hashlib', 'numbers'))
# What these say differs between interpreters, so it has to come from the one that runs the program.
INTERPRETER_MODULES = frozenset(('sys', 'os'))
BUILTINS = frozenset(vars(builtins))


# ---------------------------------------------------------------- names

def bound_names(tree):
    bound = set()
    for n in ast.walk(tree):
        if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load):
            bound.add(n.id)
        elif isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(n.name)
        elif isinstance(n, ast.arg):
            bound.add(n.arg)
        elif isinstance(n, ast.alias):
            bound.add((n.asname or n.name).split('.')[0])
        elif isinstance(n, ast.ExceptHandler) and n.name:
            bound.add(n.name)
    return bound


def loaded_names(tree):
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def is_module_use(tree, name):
    uses = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(tree))
    dotted = sum(isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name for n in ast.walk(tree))
    return uses == dotted


def outermost_builtin_calls(tree):
    found = set()
    for n in ast.walk(tree):
        if isinstance(n, ast.Assert):
            sides = [n.test.left, *n.test.comparators] if isinstance(n.test, ast.Compare) else [n.test]
            for side in sides:
                if isinstance(side, ast.Call) and isinstance(side.func, ast.Name):
                    found.add(side.func.id)
                    break
    return found


class Names:
    def __init__(self, tree):
        self.bound = bound_names(tree)
        free = loaded_names(tree) - self.bound
        self.modules = {n for n in free if n in MODULES and is_module_use(tree, n)}
        self.program = {n for n in free if n not in BUILTINS} - self.modules
        if not self.program:
            # A program may define a function that is called like a builtin; then nothing else can be meant.
            self.program = outermost_builtin_calls(tree) & BUILTINS - self.bound

    def rooted(self, n):
        while isinstance(n, (ast.Call, ast.Attribute, ast.Subscript)):
            n = n.func if isinstance(n, ast.Call) else n.value
        return isinstance(n, ast.Name) and n.id in self.program

    def free_of_program(self, n):
        return not (loaded_names(n) & self.program)

    def closed(self, n):
        """Whether the expression means the same in the program's namespace: no names of the test or its imports."""
        inner = bound_names(n)
        return not ((loaded_names(n) - inner) & (self.bound | self.modules)) and not inner & self.program


# ---------------------------------------------------------------- plans

def module_space(names):
    space = {'__name__': 'test', '__builtins__': builtins}
    for name in names.modules:
        space[name] = importlib.import_module(name)
    return space


def evaluate(n, names):
    code = compile(ast.fix_missing_locations(ast.Expression(n)), '<expected>', 'eval')
    return eval(code, module_space(names))


class ImportInline(ast.NodeTransformer):
    """Makes an expression independent of the test's imports."""

    def __init__(self, modules):
        self.modules = modules

    def visit_Name(self, n):
        return ast.parse('__import__(%r)' % n.id, mode='eval').body if n.id in self.modules else n


def split_condition(n, names, text):
    """The checks a condition consists of, or None."""
    if isinstance(n, ast.BoolOp) and isinstance(n.op, ast.And):
        parts = [split_condition(v, names, text) for v in n.values]
        return None if None in parts else [check for part in parts for check in part]
    if names.rooted(n):
        return [dict(call=ast.unparse(n), how='true', text=text)]
    if isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.Not) and names.rooted(n.operand):
        return [dict(call=ast.unparse(n.operand), how='false', text=text)]
    if not (isinstance(n, ast.Compare) and len(n.ops) == 1):
        return None
    op, left, right = n.ops[0], n.left, n.comparators[0]
    if isinstance(op, (ast.Is, ast.IsNot)):
        if not (names.rooted(left) and isinstance(right, ast.Constant) and (right.value is None or type(right.value) is bool)):
            return None
        if isinstance(op, ast.IsNot) and right.value is not None:
            return None
    elif not isinstance(op, (ast.Eq, ast.NotEq)):
        return None
    if names.rooted(left) and names.free_of_program(right):
        call, value = left, right
    elif names.rooted(right) and names.free_of_program(left):
        call, value = right, left
    else:
        return None
    how = {ast.Eq: 'equal', ast.NotEq: 'different', ast.Is: 'same', ast.IsNot: 'different'}[type(op)]
    if loaded_names(value) & names.modules & INTERPRETER_MODULES:
        return [dict(call=ast.unparse(call), how=how, expectedCall=ast.unparse(ImportInline(names.modules).visit(value)), text=text)]
    try:
        expected = evaluate(value, names)
    except Exception:
        return None
    text_of_expected = canonical(expected)
    if text_of_expected.startswith('?') or type(expected) not in (int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset, type(None), range):
        return None
    return [dict(call=ast.unparse(call), how=how, expected=text_of_expected, shown=shown(expected), text=text)]


def split(tree, names, source):
    checks = []
    for n in tree.body:
        if is_idle(n):
            continue
        if not isinstance(n, ast.Assert):
            return None
        text = (ast.get_source_segment(source, n) if source else None) or ast.unparse(n)
        found = split_condition(n.test, names, text)
        if found is None:
            return None
        checks += found
    return checks or None


def is_idle(n):
    """Whether a statement does nothing that a later one could notice."""
    if isinstance(n, ast.Assert):
        return isinstance(n.test, ast.Constant) and bool(n.test.value)
    return isinstance(n, ast.Pass) or isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)


class Rename(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit_Name(self, n):
        return ast.copy_location(ast.Name(self.new, n.ctx), n) if n.id == self.old else n


def inline_check(tree):
    """The statements of check in the form "def check(candidate): …; check(f)" as if written for f, or None."""
    body = [n for n in tree.body if not is_idle(n)]
    if len(body) < 2 or not isinstance(body[-2], ast.FunctionDef):
        return None
    *before, function, call = body
    call = call.value if isinstance(call, ast.Expr) else None
    a = function.args
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function.name):
        return None
    if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], ast.Name) or function.decorator_list:
        return None
    if len(a.args) != 1 or a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults or a.args[0].annotation:
        return None
    # What stands before, like METADATA, is literal and not used.
    loaded = loaded_names(function)
    for n in before:
        if not (isinstance(n, ast.Assign) and len(n.targets) == 1 and isinstance(n.targets[0], ast.Name)):
            return None
        try:
            ast.literal_eval(n.value)
        except Exception:
            return None
        if n.targets[0].id in loaded:
            return None
    if function.name in loaded or call.args[0].id in bound_names(tree):
        return None
    return Rename(a.args[0].arg, call.args[0].id).visit(ast.Module(function.body, []))


def plan(source):
    source = source.replace('\r\n', '\n')
    try:
        tree = ast.parse(source)
    except SyntaxError as e:
        line = e.lineno or 1
        text = (e.text or source.split('\n')[min(line, source.count('\n') + 1) - 1]).strip()
        return dict(kind='invalid', reason='%s: %s' % (type_name(type(e)), e.msg), line=line, text=text)
    except ValueError as e:
        return dict(kind='invalid', reason=str(e))
    names = Names(tree)
    if not names.program:
        return dict(kind='invalid', reason='the test calls nothing of the program')
    inlined = inline_check(tree)
    checks = split(tree, names, source) if inlined is None else split(inlined, Names(inlined), None)
    if checks is not None:
        return dict(kind='split', checks=checks)
    return dict(kind='replay', calls=collect(source, []))


# ---------------------------------------------------------------- replay

class Needs(BaseException):
    """An answer is missing."""


class Stop(BaseException):
    """Looking ahead went on for too long."""


class Unsupported(BaseException):
    """The test does something with the program that a recording cannot answer."""


class Handle:
    """Stands for an object of the program that is no builtin value, and stays there. Equal to nothing."""
    def __init__(self, text, run, source):
        set_ = object.__setattr__
        set_(self, '_text', text)
        set_(self, '_run', run)
        # An expression of the object in the program's namespace, or None where there is no way to it.
        set_(self, '_source', source)

    def _expression(self):
        if self._source is None:
            raise TypeError('an object inside this answer cannot be reached')
        return self._source

    def _ask(self, form, *values):
        sources = [source_of(v) for v in values]
        answer = self._run.answer(form.format(self._expression(), *sources))
        self._run.values.append(answer)
        return answer

    def _is_named(self):
        return self._source is not None and self._text[2:] in self._run.program_names

    def _ask_named(self, form, *values):
        if not self._is_named():
            raise TypeError('an object of class %s in the place of a plain value' % self._text[2:])
        return self._ask(form, *values)

    def _words(self, kind):
        if self._run is None or self._run.ended:
            return '<' + self._text[2:] + '>'
        if not self._is_named():
            return '<object of the program>'
        words = self._ask(kind + '({})')
        if type(words) is not str:
            raise TypeError('an object of the program gives no text')
        return words

    def __repr__(self):
        return self._words('repr')

    def __str__(self):
        return self._words('str')

    def __bool__(self):
        return self._ask('bool({})') is True if self._is_named() else self._text.startswith('?1')

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__

    def __getattr__(self, name):
        if name.startswith('__') or name.startswith('_mucode'):
            raise AttributeError(name)
        return self._ask('{}.' + name)

    def __setattr__(self, name, value):
        self._ask('setattr({}, ' + repr(name) + ', {})', value)

    def __call__(self, *args, **kwargs):
        return call_in_program(self._run, self._expression(), args, kwargs)

    def __len__(self):
        return self._ask_named('len({})')

    def __getitem__(self, key):
        return self._ask_named('{}[{}]', key)

    def __setitem__(self, key, value):
        self._ask_named('{}.__setitem__({}, {})', key, value)

    def __delitem__(self, key):
        self._ask_named('{}.__delitem__({})', key)

    def __contains__(self, item):
        return self._ask_named('{1} in {0}', item)

    def __iter__(self):
        # Without this, iteration would go by index.
        raise TypeError('a test cannot iterate over this object of the program')


def call_in_program(run, callee, args, kwargs):
    mutable = [v for v in [*args, *kwargs.values()] if type(v) in (list, dict, set, bytearray)]
    if not mutable:
        parts = [source_of(v) for v in args] + [k + '=' + source_of(v) for k, v in kwargs.items()]
        result = run.answer('%s(%s)' % (callee, ', '.join(parts)))
        run.values.append(result)
        return result
    # Arguments that the call may change in place come back with its result.
    answer = run.answer('(lambda a, k: (%s(*a, **k), a, k))(%s, %s)' % (callee, source_of(list(args)), source_of(kwargs)))
    if type(answer) is not tuple:
        # Too large to be sent, or not what was asked for.
        result = Handle('?0' + (answer.text if type(answer) is Digest else ''), run, None)
        run.values.append(result)
        return result
    result, new_args, new_kwargs = answer
    for old, new in [*zip(args, new_args), *[(kwargs[k], w) for k, w in new_kwargs.items() if k in kwargs]]:
        if type(old) is not type(new) or old is new:
            continue
        if type(old) in (list, bytearray):
            old[:] = new
        elif type(old) in (dict, set):
            old.clear()
            old.update(new)
    run.values.append(result)
    return result


def call_method(owner, name, /, *args, **kwargs):
    """owner.name(…) in one call where the owner is the program's."""
    if type(owner) is Handle:
        return call_in_program(owner._run, owner._expression() + '.' + name, args, kwargs)
    return getattr(owner, name)(*args, **kwargs)


class Digest:
    """Stands for a value too large to be sent. Equal to another of the same digest, and to nothing else."""
    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return type(other) is Digest and self.text == other.text

    __hash__ = None

    def __repr__(self):
        return '<large value>'


def untyped(j, run=None, source=None):
    if j is None or j is True or j is False or type(j) is str:
        return j
    kind, body = j
    if kind == '?':
        return Handle(body, run, source)
    if kind == '#':
        return Digest(body)
    if kind == 'int':
        return int(body, 16)
    if kind == 'float':
        return float.fromhex(body)
    if kind == 'complex':
        return complex(*[float.fromhex(part) for part in body.split(' ')])
    if kind == 'bytes':
        return bytes.fromhex(body)
    if kind == 'bytearray':
        return bytearray.fromhex(body)
    if kind == 'range':
        return range(*[int(part, 16) for part in body.split(' ')])
    if kind == 'Fraction':
        return Fraction(*[int(part, 16) for part in body.split(' ')])
    if kind == 'Decimal':
        return Decimal(body)
    if kind == 'ellipsis':
        return ...
    if source is None or kind in ('set', 'frozenset'):
        items = [untyped(item) for item in body]
    elif kind == 'dict':
        items = [untyped(item, run, '[w for i in %s.items() for w in i][%d]' % (source, at)) for at, item in enumerate(body)]
    else:
        items = [untyped(item, run, '%s[%d]' % (source, at)) for at, item in enumerate(body)]
    if kind == 'dict':
        return dict(zip(items[::2], items[1::2], strict=True))
    return {'list': list, 'tuple': tuple, 'set': set, 'frozenset': frozenset, 'deque': deque}[kind](items)


def source_of(v):
    t = type(v)
    if v is None or t in (bool, int, str, bytes, range) or v is ...:
        return repr(v)
    if t is float:
        return repr(v) if math.isfinite(v) else 'float(%r)' % str(v)
    if t is complex:
        return 'complex(%s, %s)' % (source_of(v.real), source_of(v.imag))
    if t is list:
        return '[' + ', '.join([source_of(w) for w in v]) + ']'
    if t is tuple:
        return '(' + ', '.join([source_of(w) for w in v]) + (',)' if len(v) == 1 else ')')
    if t is dict:
        return '{' + ', '.join([source_of(k) + ': ' + source_of(w) for k, w in v.items()]) + '}'
    if t is set:
        return '{' + ', '.join([source_of(w) for w in v]) + '}' if v else 'set()'
    if t in (frozenset, bytearray):
        return type_name(t) + '(' + (source_of(set(v)) if t is frozenset else repr(bytes(v))) + ')'
    if t in (Fraction, Decimal):
        return '__import__(%r).%s(%r)' % ('fractions' if t is Fraction else 'decimal', type_name(t), str(v))
    if t is Name:
        return v._source
    if t is Handle:
        return v._expression()
    if t is Digest:
        raise TypeError('an answer too large to be given back')
    if t is Unknown:
        raise Needs
    raise Unsupported('an argument of type ' + type_name(t))


def refuse(*args, **kwargs):
    raise Needs


class Unknown:
    """The result of a call whose answer is not there yet, while looking ahead. Whatever touches it is skipped."""
    __getattr__ = refuse
    __class__ = property(refuse)


for operation in '''call getitem setitem contains iter next len bool int float complex index str repr format hash eq ne lt le gt ge
    add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow divmod rdivmod and rand or ror xor rxor
    lshift rlshift rshift rrshift neg pos abs invert round trunc floor ceil enter exit reversed copy deepcopy reduce_ex'''.split():
    setattr(Unknown, '__' + operation + '__', refuse)
UNKNOWN = Unknown()


class Run:
    """One run of a test against a recording. Looking ahead, missing answers are skipped to learn of later calls."""

    def __init__(self, recording, holes, program_names):
        self.holes, self.program_names = holes, program_names
        # The places of a call's answers in the recording, the next one last.
        self.places = {}
        for place in range(len(recording) - 1, -1, -1):
            self.places.setdefault(recording[place][0], []).append(place)
        self.recording = recording
        self.calls = []
        self.missing = None
        self.skipped = 0
        self.values = []
        self.ended = False

    def answer(self, source):
        self.calls.append(source)
        places = self.places.get(source)
        if not places:
            if self.missing is None:
                self.missing = len(self.calls) - 1
            self.skipped += 1
            if self.skipped > MAX_SKIPPED:
                raise Stop
            raise Needs
        place = places.pop()
        kind, text = self.recording[place][1]
        if kind == 'raised':
            raise self.exception(text, place)
        try:
            return untyped(json.loads(text), self, kept_name(len(self.calls) - 1) if '["?"' in text else None)
        except Exception:
            return Handle('?0unreadable value', self, None)

    @staticmethod
    def exception(text, place):
        name, _, message = text.partition(': ')
        cls = getattr(builtins, name, None)
        if not (isinstance(cls, type) and issubclass(cls, Exception)):
            cls = type(name, (Exception,), {})
        try:
            e = cls(message)
        except Exception:
            e = Exception(text)
        e._mucode_place = place
        return e

    def hole(self, index):
        value = self.answer(self.holes[index])
        self.values.append(value)
        return value

    def mark(self):
        self.values.clear()


def kept_name(place):
    """Under which the program's process keeps the answer to a test's call, by the call's place in the test."""
    return '_mucode_answer_%d' % place


class Name:
    """Stands for a name of the program."""

    def __init__(self, run, source):
        self._run, self._source = run, source
        self.__name__ = source

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return Name(self._run, self._source + '.' + name)

    def __call__(self, *args, **kwargs):
        return call_in_program(self._run, self._source, args, kwargs)

    def __instancecheck__(self, value):
        answer = self._run.answer('isinstance(%s, %s)' % (source_of(value), self._source))
        return answer is True


class Holes(ast.NodeTransformer):
    """Replaces the largest expressions that are the program's alone; marks where each assertion starts."""

    def __init__(self, names):
        self.names, self.sources = names, []

    def generic_visit(self, n):
        if isinstance(n, ast.expr) and isinstance(n, (ast.Call, ast.Attribute, ast.Subscript)) and isinstance(n.ctx if hasattr(n, 'ctx') else ast.Load(), ast.Load):
            if self.names.rooted(n) and any(isinstance(m, ast.Call) for m in ast.walk(n)) and self.names.closed(n):
                return self.hole(n)
        n = super().generic_visit(n)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and not n.func.attr.startswith('__'):
            # In one call, where the owner turns out to be an object of the program.
            owner, name = n.func.value, ast.Constant(n.func.attr)
            call = ast.Call(ast.Name('__method__', ast.Load()), [owner, name, *n.args], n.keywords)
            return ast.copy_location(call, n)
        return n

    def hole(self, n):
        self.sources.append(ast.unparse(n))
        call = ast.Call(ast.Name('__hole__', ast.Load()), [ast.Constant(len(self.sources) - 1)], [])
        return ast.copy_location(call, n)

    def operand(self, n):
        """A name of the program in the place of a value: not one to be called later."""
        plain = isinstance(n, (ast.Name, ast.Attribute)) and self.names.rooted(n)
        return self.hole(n) if plain and self.names.closed(n) else n

    def visit_Compare(self, n):
        n.left, n.comparators = self.operand(n.left), [self.operand(c) for c in n.comparators]
        return self.generic_visit(n)

    def visit_BinOp(self, n):
        n.left, n.right = self.operand(n.left), self.operand(n.right)
        return self.generic_visit(n)

    def visit_UnaryOp(self, n):
        n.operand = self.operand(n.operand)
        return self.generic_visit(n)

    def visit_Subscript(self, n):
        if isinstance(n.ctx, ast.Load):
            n.value = self.operand(n.value)
        return self.generic_visit(n)

    def visit_Assert(self, n):
        self.generic_visit(n)
        mark = ast.Expr(ast.Call(ast.Name('__mark__', ast.Load()), [], []))
        return [ast.copy_location(mark, n), n]


class LookAhead(ast.NodeTransformer):
    """Lets every statement that meets a missing answer be skipped; what it would have bound becomes unknown."""

    def generic_visit(self, n):
        n = super().generic_visit(n)
        skippable = (ast.Assert, ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Raise, ast.Delete)
        if not isinstance(n, skippable):
            return n
        if isinstance(n, ast.Return):
            instead = [ast.Return(ast.Name('__unknown__', ast.Load()))]
        else:
            targets = n.targets if isinstance(n, ast.Assign) else [n.target] if isinstance(n, (ast.AugAssign, ast.AnnAssign)) else []
            bound = [m.id for t in targets for m in ast.walk(t) if isinstance(m, ast.Name) and isinstance(m.ctx, ast.Store)]
            instead = [ast.Assign([ast.Name(name, ast.Store())], ast.Name('__unknown__', ast.Load())) for name in bound] or [ast.Pass()]
        handler = ast.ExceptHandler(ast.Name('__needs__', ast.Load()), None, instead)
        return ast.copy_location(ast.Try([n], [handler], [], []), n)


def execute(source, recording, look_ahead):
    tree = ast.parse(source)
    names = Names(tree)
    holes = Holes(names)
    tree = holes.visit(tree)
    if look_ahead:
        tree = LookAhead().visit(tree)
    run = Run(recording, holes.sources, names.program)
    space = module_space(names)
    space.update(__hole__=run.hole, __mark__=run.mark, __method__=call_method, __unknown__=UNKNOWN, __needs__=Needs)
    for name in names.program:
        space[name] = Name(run, name)
    random.seed(0)
    try:
        exec(compile(ast.fix_missing_locations(tree), '<test>', 'exec'), space)
        return run, None
    except BaseException as e:
        return run, e
    finally:
        run.ended = True


def collect(source, recording):
    return execute(source, recording, True)[0].calls[:MAX_CALLS]


def failed_statement(source, e):
    """The text of the statement of the test in which the exception arose last."""
    line = None
    tb = e.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == '<test>':
            line = tb.tb_lineno
        tb = tb.tb_next
    best = None
    for n in ast.walk(ast.parse(source)):
        if isinstance(n, ast.stmt) and line is not None and n.lineno <= line <= n.end_lineno:
            if best is None or n.lineno >= best.lineno:
                best = n
    return ast.get_source_segment(source, best) if best is not None else source


def replay(source, recording):
    source = source.replace('\r\n', '\n')
    run, e = execute(source, recording, False)
    if isinstance(e, Unsupported):
        return dict(kind='unsupported', reason=str(e))
    if isinstance(e, MemoryError):
        raise e
    if run.missing is not None:
        return dict(kind='needs', calls=collect(source, recording), missing=run.missing)
    result = dict(calls=run.calls)
    if e is None:
        return dict(result, kind='passed')
    result['statement'] = failed_statement(source, e)
    place = getattr(e, '_mucode_place', None)
    if place is not None:
        return dict(result, kind='error', raised=place)
    if isinstance(e, AssertionError):
        return dict(result, kind='failed', **(dict(obtained=shown(run.values[0])) if len(run.values) == 1 else {}))
    return dict(result, kind='error', exception=(type_name(type(e)) + ': ' + str(e))[:300])


${REFERENCE_PYTHON}

def step(text):
    request = json.loads(text)
    if request['what'] == 'plan':
        return json.dumps([plan(source) for source in request['tests']])
    if request['what'] == 'match':
        return json.dumps([match(request['comparison'], request['tolerance'], pair) for pair in request['pairs']])
    if request['what'] == 'equal':
        pairs = [(eval(left, {}), eval(right, {})) for left, right in request['pairs']]
        return json.dumps([[bool(a == b), canonical(a), canonical(b)] for a, b in pairs])
    return json.dumps(replay(request['test'], request['recording']))


step(json.dumps(dict(what='plan', tests=['assert f(1) == 2', 'assert abs(f(1)) < 2'])))
step(json.dumps(dict(what='replay', test='assert abs(f(1)) < 2', recording=[['f(1)', ['value', '["int","1"]']]])))
`;
