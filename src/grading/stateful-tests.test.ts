import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPyodideSandbox, type PyodideSandbox } from "../sandbox/pyodide/pyodide-sandbox.ts";
import type { ProgramJob, Sandbox } from "../sandbox/sandbox.ts";
import type { Grader } from "./grade.ts";
import { createGrader } from "./grader.ts";

const COUNTER = `class Node:
    def __init__(self, value, next=None):
        self.value = value
        self.next = next
    def __str__(self):
        return 'Node(%d)' % self.value
class Counter:
    kind = 'counter'
    def __init__(self, start=0):
        self.count = start
        self.log = []
    def add(self, n):
        self.count += n
        self.log.append(n)
        return self
    def get(self):
        return self.count
    def drain(self, items):
        while items:
            self.count += items.pop()
    def nodes(self):
        return [Node(n) for n in self.log]
    def by_name(self):
        return {'first': Node(1), 'second': Node(2)}
    def __len__(self):
        return len(self.log)
    def __getitem__(self, i):
        return self.log[i]
    def __contains__(self, n):
        return n in self.log
def total(*counters):
    return sum(c.count for c in counters)
def make_adder(n):
    return lambda x: x + n
shared = Counter(7)
limit = 3
`;

/** Tests that hold for the program above in plain Python, with a change of the program under which they do not. */
const TESTS: readonly (readonly [name: string, source: string, from: string, to: string])[] = [
  ["a method", "s = Counter()\nassert s.get() == 0", "return self.count", "return self.count + 1"],
  [
    "several statements",
    "s = Counter(1)\nassert s.get() == 1\ns.add(3)\ns.add(4)\nassert s.get() == 8",
    "self.count += n",
    "self.count = n",
  ],
  ["a chain of methods", "assert Counter().add(1).add(2).get() == 3", "self.count += n", "self.count = n"],
  [
    "a chain from a variable",
    "s = Counter()\nassert s.add(1).add(2).get() == 3\nassert s.count == 3",
    "self.count += n",
    "self.count = n",
  ],
  ["an attribute", "s = Counter(5)\nassert s.count == 5", "self.count = start", "self.count = 0"],
  [
    "attributes of an attribute",
    "n = Node(1, Node(2))\nassert n.next.value == 2 and n.next.next is None",
    "self.next = next",
    "self.next = None",
  ],
  ["an attribute that is set", "s = Counter()\ns.count = 9\nassert s.get() == 9", "return self.count", "return 0"],
  [
    "objects given back",
    "a = Counter(1)\nb = Counter(2)\na.add(10)\nassert total(a, b) == 13",
    "sum(c.count for c in counters)",
    "counters[0].count",
  ],
  [
    "objects in a list given back",
    "xs = [Counter(1), Counter(2)]\nassert total(*xs) == 3",
    "sum(c.count",
    "max(c.count",
  ],
  [
    "objects in a list that came back",
    "s = Counter().add(4).add(5)\nns = s.nodes()\nassert len(ns) == 2\nassert [n.value for n in ns] == [4, 5]",
    "for n in self.log",
    "for n in sorted(self.log, reverse=True)",
  ],
  [
    "objects in a dict that came back",
    "d = Counter().by_name()\nassert d['second'].value == 2",
    "'second': Node(2)",
    "'second': Node(1)",
  ],
  [
    "an argument changed in place",
    "s = Counter()\nxs = [1, 2]\ns.drain(xs)\nassert xs == [] and s.get() == 3",
    "items.pop()",
    "items[-1]; break",
  ],
  [
    "two objects of a class",
    "a = Counter()\nb = Counter()\na.add(1)\nassert (a.get(), b.get()) == (1, 0)",
    "self.count = start",
    "self.count = start - 1",
  ],
  [
    "length, index and membership",
    "s = Counter()\ns.add(4)\nassert len(s) == 1 and s[0] == 4 and 4 in s and 5 not in s",
    "return n in self.log",
    "return True",
  ],
  [
    "the text of an object",
    "n = Node(3)\nassert str(n) == 'Node(3)'\nassert f'{n}' == 'Node(3)'",
    "'Node(%d)'",
    "'Node %d'",
  ],
  ["truth, which changes", "s = Counter()\nassert not s\ns.add(1)\nassert s", "return len(self.log)", "return 1"],
  [
    "kinds of object",
    "n = Node(1)\nassert isinstance(n, Node)\nassert not isinstance(n, Counter)",
    "shared = Counter(7)",
    "shared = Counter(7)\nCounter = object",
  ],
  [
    "a function that came back",
    "f = make_adder(2)\nassert f(1) == 3\nassert list(map(f, [1, 2])) == [3, 4]",
    "x + n",
    "x - n",
  ],
  [
    "an object of a module-level variable of the program",
    "c = shared\nc.add(1)\nassert shared.get() == 8",
    "shared = Counter(7)",
    "shared = Counter(6)",
  ],
  [
    "a value of a module-level variable of the program",
    "x = limit\nassert limit - 3 == 0\nassert not (limit > 3)",
    "limit = 3",
    "limit = 4",
  ],
  [
    "a function of the test",
    "def check(make):\n    s = make(2)\n    s.add(1)\n    assert s.get() == 3\ncheck(Counter)",
    "self.count += n",
    "self.count = n",
  ],
  [
    "a loop whose length the object says",
    "s = Counter()\nwhile s.get() < 3:\n    s.add(1)\nassert len(s) == 3",
    "self.count += n",
    "self.count += 2 * n",
  ],
  [
    "a branch on what the object says",
    "s = Counter(1)\nif s.get() == 1:\n    s.add(5)\nelse:\n    s.add(6)\nassert s.get() == 6",
    "return self.count",
    "return self.count + 1",
  ],
  [
    "an exception of a method",
    "s = Counter()\ntry:\n    s[5]\n    assert False\nexcept IndexError:\n    pass\nassert s.get() == 0",
    "return self.log[i]",
    "return None",
  ],
  [
    "private names of a class of the test",
    "class T:\n    def __init__(self, s):\n        self.__s = s\n    def run(self, name):\n        return self.__s.get()\nassert T(Counter(2)).run(name=1) == 2",
    "return self.count",
    "return -1",
  ],
];

describe("tests that keep objects of the program", () => {
  let pyodide: PyodideSandbox;
  let grader: Grader;
  const jobs: ProgramJob[] = [];
  beforeAll(async () => {
    pyodide = await createPyodideSandbox({ workers: 2 });
    const recorded: Sandbox = {
      ...pyodide,
      run(job, signal) {
        jobs.push(job);
        return pyodide.run(job, signal);
      },
    };
    grader = await createGrader({ sandboxes: { python: recorded } });
  });
  afterAll(async () => {
    await grader.close();
    await pyodide.close();
  });

  test.each(TESTS)("%s", async (_, source, from, to) => {
    const tests = [{ kind: "assert", source } as const];
    expect(COUNTER).toContain(from);
    expect(await grader.grade({ program: COUNTER, tests })).toEqual({
      verdict: "passed",
      tests: [{ verdict: "passed" }],
    });
    const wrong = await grader.grade({ program: COUNTER.replaceAll(from, to), tests });
    expect(wrong.verdict).toMatch(/^(?:failed|error)$/);
  });

  test("all in one program's run, in the order of the tests, are what they are alone", async () => {
    const tests = TESTS.filter(([name]) => !name.includes("module-level")).map(
      ([, source]) => ({ kind: "assert", source }) as const,
    );
    const { tests: results } = await grader.grade({ program: COUNTER, tests });
    expect(results.map(({ verdict }) => verdict)).toEqual(tests.map(() => "passed"));
  });

  test("expected values stay out of the program's process", async () => {
    jobs.length = 0;
    const source = "s = Counter(1)\nassert s.get() == 'sesame'";
    const { tests } = await grader.grade({ program: COUNTER, tests: [{ kind: "assert", source }] });
    expect(tests).toEqual([{ verdict: "failed", obtained: "1", statement: "assert s.get() == 'sesame'" }]);
    expect(jobs.length).toBeGreaterThan(0);
    expect(JSON.stringify(jobs)).not.toContain("sesame");
  });

  test("what is wrong about an object is a verdict, never a test that cannot be used", async () => {
    const source = "a = f()\nb = g(a)\nassert b == 1";
    const verdict = async (program: string): Promise<string> =>
      (await grader.grade({ program, tests: [{ kind: "assert", source }] })).verdict;
    expect(await verdict("def f():\n    return object()\ndef g(a):\n    return 1\n")).toBe("passed");
    expect(await verdict("def f():\n    return {object()}\ndef g(a):\n    return 1\n")).toBe("error");
    expect(await verdict("def f():\n    return 'x' * (4 * 10**6)\ndef g(a):\n    return 1\n")).toBe("error");
    expect(await verdict("def f():\n    return lambda: 1\ndef g(a):\n    return a\n")).toBe("failed");
    expect(await verdict("def f():\n    return [lambda: 1]\ndef g(a):\n    return a[0]()\n")).toBe("passed");
  });
});
