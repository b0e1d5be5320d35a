//! What it costs to do nothing: users harmed in each minute, if all stays as it is.
//!
//! The harm that the engine measures itself (the extra share of the candidate's requests that fail or are slow, with its
//! bounds) times the share of users that it serves times the requests of a minute. It holds the candidate's share for constant,
//! so of a ramp that goes on it tells too little; and what does not show in failed or slow requests it does not know.

use backspin_domain::event::Effect;
use backspin_domain::forecast::Predicted;

/// Users harmed in a minute by a candidate with this effect, in a service of so many requests per second; none where nothing
/// was measured to go by.
///
/// The bounds are those of the harm; the upper one lies as far above the estimate as the lower below, and no further than all
/// requests.
pub fn harmed_per_min(effect: &Effect, requests_per_sec: Option<f64>) -> Option<Predicted> {
    let measured = effect.harm != 0.0 || effect.harm_lower != 0.0;
    let rate = requests_per_sec.filter(|rate| rate.is_finite() && *rate > 0.0 && measured)?;
    let exposed = 60.0 * rate * effect.exposure.clamp(0.0, 1.0);
    let harmed = |share: f64| exposed * share.clamp(0.0, 1.0);
    Some(Predicted {
        likely: harmed(effect.harm),
        lower: harmed(effect.harm_lower),
        upper: harmed(2.0 * effect.harm - effect.harm_lower),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFECT: Effect = Effect { harm: 0.3, harm_lower: 0.2, exposure: 0.25 };

    #[test]
    fn harm_times_exposure_times_requests() {
        let predicted = harmed_per_min(&EFFECT, Some(40.0)).expect("measured");
        // 40 × 60 × 0.25 = 600 users a minute on the candidate.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(predicted.likely, 180.0), "{predicted:?}");
        assert!(near(predicted.lower, 120.0) && near(predicted.upper, 240.0), "{predicted:?}");
    }

    #[test]
    fn no_more_than_all_users_are_harmed() {
        let effect = Effect { harm: 0.9, harm_lower: 0.5, exposure: 1.0 };
        assert_eq!(harmed_per_min(&effect, Some(1.0)).map(|p| p.upper), Some(60.0));
        let better = Effect { harm: -0.1, harm_lower: -0.2, exposure: 1.0 };
        let none = harmed_per_min(&better, Some(1.0)).expect("measured");
        assert_eq!((none.likely, none.lower, none.upper), (0.0, 0.0, 0.0));
    }

    #[test]
    fn what_was_not_measured_is_not_said() {
        assert_eq!(harmed_per_min(&EFFECT, None), None);
        assert_eq!(harmed_per_min(&EFFECT, Some(0.0)), None);
        assert_eq!(harmed_per_min(&EFFECT, Some(f64::NAN)), None);
        assert_eq!(harmed_per_min(&Effect { exposure: 0.5, ..Effect::default() }, Some(9.0)), None);
    }
}
