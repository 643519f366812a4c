/**
 * The two losses of a learned verifier, each with its gradient in closed form: ∂C/∂z is all that the engine needs, as
 * the score z is a sum of log-probabilities.
 */

export interface LossAndGradient {
  readonly loss: number;
  /** `gradient[i]` = ∂loss/∂scores[i]. */
  readonly gradient: Float64Array;
}

/**
 * Bradley-Terry: the mean over pairs of −log σ(z⁺ − z⁻), plus `regularization` · mean(z²) over all scores, which
 * keeps them centred. `scores` = [right…, wrong…], both halves of equal length; pair i is (scores[i], scores[n + i]).
 */
export function bradleyTerryLoss(scores: readonly number[], regularization: number): LossAndGradient {
  const pairs = scores.length / 2;
  const gradient = new Float64Array(scores.length);
  let loss = 0;
  for (let i = 0; i < pairs; i++) {
    const margin = scores[i]! - scores[pairs + i]!;
    loss += softplus(-margin) / pairs;
    const slope = -sigmoid(-margin) / pairs;
    gradient[i] = slope;
    gradient[pairs + i] = -slope;
  }
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    loss += (regularization * score * score) / scores.length;
    gradient[i]! += (2 * regularization * score) / scores.length;
  }
  return { loss, gradient };
}

export interface LossAndBiasGradient extends LossAndGradient {
  readonly biasGradient: number;
}

/** Mean binary cross-entropy of σ(z + bias) against the labels. The bias places the scores' origin between right and wrong. */
export function binaryCrossEntropyLoss(
  scores: readonly number[],
  labels: readonly boolean[],
  bias: number,
): LossAndBiasGradient {
  const gradient = new Float64Array(scores.length);
  let loss = 0;
  let biasGradient = 0;
  for (let i = 0; i < scores.length; i++) {
    const logit = scores[i]! + bias;
    loss += (labels[i] ? softplus(-logit) : softplus(logit)) / scores.length;
    gradient[i] = (sigmoid(logit) - (labels[i] ? 1 : 0)) / scores.length;
    biasGradient += gradient[i]!;
  }
  return { loss, gradient, biasGradient };
}

/** The bias that minimizes the cross-entropy of fixed scores (Newton's method on a convex function of one number). */
export function fitBias(scores: readonly number[], labels: readonly boolean[]): number {
  let bias = -scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
  for (let step = 0; step < 50; step++) {
    let slope = 0;
    let curvature = 1e-6;
    for (let i = 0; i < scores.length; i++) {
      const p = sigmoid(scores[i]! + bias);
      slope += p - (labels[i] ? 1 : 0);
      curvature += p * (1 - p);
    }
    // A step is bounded, because Newton overshoots where the curvature vanishes.
    bias -= Math.max(-2, Math.min(2, slope / curvature));
  }
  return bias;
}

export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** log(1 + eˣ) without overflow. */
export function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
