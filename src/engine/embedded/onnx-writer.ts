/**
 * Writes ONNX models: just enough of the protobuf encoding of `onnx.proto` (ModelProto, GraphProto, NodeProto,
 * TensorProto) for graphs that ONNX Runtime executes. Nothing is checked here: ONNX Runtime checks the model it loads.
 */

/** Element types, as `TensorProto.DataType`. */
const ELEMENT_TYPES = { float32: 1, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** Extent of a dimension; a name stands for an extent known only when the graph runs. */
export type Dimension = number | string;

/** A plain number is an integer attribute. */
export type Attribute = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute | undefined>>;

/** Domain of ONNX Runtime's own operators. */
export const MICROSOFT_DOMAIN = "com.microsoft";

const OPSET_VERSION = 21;
const IR_VERSION = 10;

const textEncoder = new TextEncoder();

/** A protobuf message under construction; `field` numbers are those of `onnx.proto`. */
class Message {
  #parts: Uint8Array[] = [];
  #length = 0;

  integer(field: number, value: number | bigint): this {
    return this.#varint(field * 8).#varint(value);
  }

  float(field: number, value: number): this {
    return this.#varint(field * 8 + 5).#raw(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#varint(field * 8 + 2).#varint(value.length).#raw(value);
  }

  text(field: number, value: string): this {
    return this.bytes(field, textEncoder.encode(value));
  }

  message(field: number, value: Message): this {
    this.#varint(field * 8 + 2).#varint(value.#length);
    for (const part of value.#parts) this.#raw(part);
    return this;
  }

  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  }

  #varint(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (rest > 127n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    return this.#raw(Uint8Array.from(bytes));
  }

  #raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}

type TensorData = Float32Array | Int32Array | BigInt64Array;

function tensorMessage(name: string, type: ElementType, shape: readonly number[], data: TensorData): Message {
  const message = new Message();
  for (const extent of shape) message.integer(1, extent);
  return message
    .integer(2, ELEMENT_TYPES[type])
    .text(8, name)
    .bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function valueInfoMessage(name: string, type: ElementType, shape: readonly Dimension[]): Message {
  const shapeMessage = new Message();
  for (const extent of shape) {
    const dimension = new Message();
    shapeMessage.message(1, typeof extent === "string" ? dimension.text(2, extent) : dimension.integer(1, extent));
  }
  const tensorType = new Message().integer(1, ELEMENT_TYPES[type]).message(2, shapeMessage);
  return new Message().text(1, name).message(2, new Message().message(1, tensorType));
}

/** A sequence of float32 tensors of any shape. */
function sequenceInfoMessage(name: string): Message {
  const tensorType = new Message().message(1, new Message().integer(1, ELEMENT_TYPES.float32));
  const sequenceType = new Message().message(4, new Message().message(1, tensorType));
  return new Message().text(1, name).message(2, sequenceType);
}

function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message().text(1, name);
  if (typeof value === "number") return message.integer(3, value).integer(20, 2);
  if (typeof value === "string") return message.bytes(4, textEncoder.encode(value)).integer(20, 3);
  if ("float" in value) return message.float(2, value.float).integer(20, 1);
  for (const integer of value) message.integer(8, integer);
  return message.integer(20, 7);
}

/** A graph under construction. Values are known by name; a name is returned by whatever makes the value. */
export class OnnxGraph {
  #nodes: Message[] = [];
  #inputs: Message[] = [];
  #outputs: Message[] = [];
  #initializers: Message[] = [];
  #integerConstants = new Map<string, string>();
  #nameCount = 0;

  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfoMessage(name, type, shape));
    return name;
  }

  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfoMessage(name, type, shape));
  }

  /** An empty sequence as another output. */
  sequenceOutput(): string {
    const name = this.node("SequenceEmpty", []);
    this.#outputs.push(sequenceInfoMessage(name));
    return name;
  }

  /** A constant; `data` must not change before `encode`. */
  constant(type: ElementType, shape: readonly number[], data: TensorData, name = this.#freshName("constant")): string {
    this.#initializers.push(tensorMessage(name, type, shape, data));
    return name;
  }

  /** A constant vector of integers; equal vectors are stored once. */
  integers(...values: readonly number[]): string {
    const key = values.join();
    let name = this.#integerConstants.get(key);
    if (name === undefined) {
      name = this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
      this.#integerConstants.set(key, name);
    }
    return name;
  }

  scalar(value: number): string {
    return this.constant("float32", [], Float32Array.of(value));
  }

  /** Adds an operator with one output; an empty input name leaves an optional input out. */
  node(operator: string, inputs: readonly string[], attributes: Attributes = {}, domain = ""): string {
    return this.nodeWithOutputs(operator, inputs, 1, attributes, domain)[0]!;
  }

  /** Adds an operator with several outputs. */
  nodeWithOutputs(
    operator: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Attributes = {},
    domain = "",
  ): string[] {
    const outputs = Array.from({ length: outputCount }, () => this.#freshName(operator));
    const message = new Message();
    for (const input of inputs) message.text(1, input);
    for (const output of outputs) message.text(2, output);
    message.text(3, `node_${outputs[0]}`).text(4, operator);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined) message.message(5, attributeMessage(name, value));
    }
    if (domain !== "") message.text(7, domain);
    this.#nodes.push(message);
    return outputs;
  }

  /** The model's bytes, as `InferenceSession.create` takes them. */
  encode(): Uint8Array {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.text(2, "graph");
    for (const initializer of this.#initializers) graph.message(5, initializer);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    return new Message()
      .integer(1, IR_VERSION)
      .text(2, "mucode")
      .message(7, graph)
      .message(8, new Message().text(1, "").integer(2, OPSET_VERSION))
      .message(8, new Message().text(1, MICROSOFT_DOMAIN).integer(2, 1))
      .finish();
  }

  #freshName(prefix: string): string {
    return `${prefix}_${this.#nameCount++}`;
  }
}
