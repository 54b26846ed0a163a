//! The fraud model: a logistic regression over the 28 features and the amount.
//!
//! The routes call [`score`] for each transaction. It is a pure function of the transaction: no clock, no
//! state. The weights are written by hand after what is known of the public credit-card fraud data (V14,
//! V12, V10 and V17 fall sharply in frauds, V4 and V11 rise); they were not fitted to it.

use crate::transaction::{FEATURES, Transaction};

/// Changes whenever the same transaction may get another verdict.
pub const MODEL_VERSION: &str = "logistic-1.0.0";

/// What the model says about one transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// From 0 to 1.
    pub(crate) fraud_probability: f64,
    /// The probability is at least one half.
    pub(crate) is_fraud: bool,
    /// From 0 to 1, 0.5 for an ordinary transaction.
    pub(crate) anomaly_score: f64,
    /// The score is at least [`ANOMALY_THRESHOLD`].
    pub(crate) is_anomaly: bool,
}

/// The model's verdict on `transaction`.
pub(crate) fn score(transaction: &Transaction) -> Verdict {
    let mut logit = BIAS + AMOUNT_WEIGHT * standardised_amount(transaction.amount);
    let mut distance_squared = 0.0;
    for (weight, feature) in WEIGHTS.iter().zip(&transaction.features) {
        let feature = feature.clamp(-FEATURE_MAX, FEATURE_MAX);
        logit += weight * feature;
        distance_squared += feature * feature;
    }
    let fraud_probability = 1.0 / (1.0 + (-logit).exp());
    let anomaly_score = distance_squared / (distance_squared + FEATURES as f64);
    Verdict {
        fraud_probability,
        is_fraud: fraud_probability >= FRAUD_THRESHOLD,
        anomaly_score,
        is_anomaly: anomaly_score >= ANOMALY_THRESHOLD,
    }
}

/// The logit of an average transaction. With standard-normal features the logit has a standard deviation of
/// 2.3, so that about 0.6 % of such transactions are frauds.
const BIAS: f64 = -5.7;

/// What one standard deviation of each feature adds to the logit.
const WEIGHTS: [f64; FEATURES] = [
    -0.15, 0.10, -0.35, 0.75, // V1 to V4
    0.10, -0.10, -0.20, -0.15, // V5 to V8
    -0.30, -0.85, 0.60, -0.90, // V9 to V12
    -0.05, -1.20, -0.03, -0.40, // V13 to V16
    -0.80, -0.10, 0.08, -0.06, // V17 to V20
    0.12, 0.05, -0.03, -0.04, // V21 to V24
    0.02, -0.02, -0.15, -0.05, // V25 to V28
];

/// What one standard deviation of the logarithm of the amount adds to the logit.
const AMOUNT_WEIGHT: f64 = 0.30;
const AMOUNT_LN_MEAN: f64 = 3.5;
const AMOUNT_LN_DEVIATION: f64 = 1.5;

const FRAUD_THRESHOLD: f64 = 0.5;

/// The squared distance from the mean is 28 on average and the score puts that at 1/2; twice the average,
/// which about one in a thousand standard-normal transactions exceeds, lies at 2/3.
const ANOMALY_THRESHOLD: f64 = 2.0 / 3.0;

/// Keeps sums and squares of absurd features finite: an answer must never contain a NaN.
const FEATURE_MAX: f64 = 1e6;

fn standardised_amount(amount: f64) -> f64 {
    (amount.ln_1p() - AMOUNT_LN_MEAN) / AMOUNT_LN_DEVIATION
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ordinary transaction with some features (by their number, from 1) set.
    fn transaction(amount: f64, set: &[(usize, f64)]) -> Transaction {
        let mut features = [0.0; FEATURES];
        for &(number, value) in set {
            features[number - 1] = value;
        }
        Transaction { amount, features }
    }

    #[test]
    fn verdicts_follow_the_weights() {
        let check = |amount: f64, set: &[(usize, f64)], is_fraud: bool, is_anomaly: bool| {
            let verdict = score(&transaction(amount, set));
            assert_eq!(
                (verdict.is_fraud, verdict.is_anomaly),
                (is_fraud, is_anomaly),
                "{set:?}: {verdict:?}"
            );
        };
        check(30.0, &[], false, false);
        check(30.0, &[(14, 5.0), (12, 5.0)], false, false);
        check(30.0, &[(14, -4.0), (12, -3.0)], true, false);
        check(30.0, &[(14, -4.0), (10, -3.0), (4, 3.0)], true, false);
        check(30.0, &[(13, 7.0)], false, false);
        check(30.0, &[(13, 7.5)], false, true);
        check(30.0, &[(14, -8.0)], true, true);
    }

    #[test]
    fn a_larger_amount_is_more_suspicious() {
        let probability = |amount: f64| score(&transaction(amount, &[])).fraud_probability;
        assert!(probability(0.0) < probability(30.0));
        assert!(probability(30.0) < probability(30_000.0));
    }

    #[test]
    fn an_average_transaction_has_the_probability_of_the_bias() {
        let amount = AMOUNT_LN_MEAN.exp_m1();
        let probability = score(&transaction(amount, &[])).fraud_probability;
        assert!((probability - 0.003_334).abs() < 1e-6, "{probability}");
    }

    #[test]
    fn absurd_input_still_has_a_finite_verdict() {
        for value in [f64::MAX, f64::MIN] {
            for set in [(1..=FEATURES).map(|n| (n, value)).collect::<Vec<_>>(), vec![(14, value), (4, value)]]
            {
                let verdict = score(&transaction(f64::MAX, &set));
                assert!((0.0..=1.0).contains(&verdict.fraud_probability), "{verdict:?}");
                assert!((0.0..=1.0).contains(&verdict.anomaly_score), "{verdict:?}");
            }
        }
    }

    #[test]
    fn generated_load_contains_a_few_frauds_and_anomalies() {
        const SAMPLES: u32 = 50_000;
        let mut normal = normals();
        let (mut frauds, mut anomalies) = (0, 0);
        for _ in 0..SAMPLES {
            let amount = (AMOUNT_LN_MEAN + AMOUNT_LN_DEVIATION * normal()).exp();
            let verdict = score(&Transaction { amount, features: std::array::from_fn(|_| normal()) });
            frauds += u32::from(verdict.is_fraud);
            anomalies += u32::from(verdict.is_anomaly);
        }
        let share = |count: u32| f64::from(count) / f64::from(SAMPLES);
        assert!((0.003..0.010).contains(&share(frauds)), "{frauds} frauds");
        assert!((0.000_3..0.004).contains(&share(anomalies)), "{anomalies} anomalies");
    }

    /// Standard-normal numbers: a congruential generator through the Box-Muller transform.
    fn normals() -> impl FnMut() -> f64 {
        let mut state = 42_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        move || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
    }
}
