//! One measurement, and what several of them amount to.

use std::sync::OnceLock;

use crate::generator::Length;
use crate::proc::{Usage, forget_peak, peak_kb, resident_kb};
use crate::proxies::Target;
use crate::workloads::{Case, Workload};
use crate::world::World;

/// One round of one case through one proxy. Costs are of the proxy's process, for each unit of the workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu_us: Option<f64>,
    /// Of it, in the proxy's own code.
    pub user_us: Option<f64>,
    pub switches: Option<f64>,
    pub resident_kb: Option<f64>,
    /// By how much it was more than at the beginning, at its peak.
    pub grown_kb: Option<f64>,
}

/// A case through a proxy: the rounds, or why there are none.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub samples: Vec<Sample>,
    pub fault: Option<String>,
    pub syscalls: Option<Result<f64, String>>,
}

/// The middle of some values, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Sample {
    pub fn take(
        world: &World,
        workload: &Workload,
        case: &Case,
        target: &Target,
        length: Length,
    ) -> Result<Self, String> {
        let crowd = workload.crowd(world, target)?;
        let usage =
            |pid| Usage::of(pid).map_err(|error| format!("{} is gone: {error}", target.name));
        let (before, resident_before) = (OnceLock::new(), OnceLock::new());
        let begun = || {
            // Once for each load; where it is missing, so are the costs.
            let _ = before.set(target.pid.map(usage).transpose());
            let _ = resident_before.set(target.pid.and_then(|pid| {
                forget_peak(pid)?;
                resident_kb(pid)
            }));
        };
        let load = case.load(world, target, length, &begun);
        let after = target.pid.map(usage).transpose()?;
        let resident = target.pid.and_then(resident_kb);
        let peak = target.pid.and_then(peak_kb);
        if let Some(crowd) = crowd {
            crowd.leave(world.cluster.primary_port(0))?;
        }
        let load = load?;
        let units = load.transactions as f64 * f64::from(workload.units);
        let before = before.into_inner().transpose()?.flatten();
        let spent = after
            .zip(before)
            .map(|(after, before)| after.since(&before));
        Ok(Self {
            per_second: load.per_second * f64::from(workload.units),
            p50_ms: load.p50_ms,
            p99_ms: load.p99_ms,
            cpu_us: spent.map(|spent| 1e6 * spent.cpu_seconds / units),
            user_us: spent.map(|spent| 1e6 * spent.user_seconds / units),
            switches: spent.map(|spent| spent.switches / units),
            resident_kb: resident.map(|kb| kb as f64),
            grown_kb: peak
                .zip(resident_before.into_inner().flatten())
                .map(|(peak, before)| peak.saturating_sub(before) as f64),
        })
    }
}

impl Cell {
    /// A round that failed ends the cell: what is left over would be compared with whole ones.
    pub fn add(&mut self, sample: Result<Sample, String>) {
        match sample {
            Ok(sample) => self.samples.push(sample),
            Err(fault) => self.fault = Some(fault),
        }
    }

    pub fn spread(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        if self.fault.is_some() {
            return None;
        }
        Spread::of(self.samples.iter().filter_map(figure).collect())
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }
}

/// In which order the ways through take their turns: another one in each round, so that nobody always runs
/// first, or always behind the same one.
pub fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).map(|turn| (turn + round) % count).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let median = |values: &[f64]| Spread::of(values.to_vec()).map(|spread| spread.median);
        assert_eq!(median(&[3.0, 100.0, 1.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(median(&[f64::NAN, 5.0]), Some(5.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_spread_has_both_ends() {
        let spread = Spread::of(vec![2.0, 9.0, 4.0]).unwrap();
        assert_eq!((spread.min, spread.max), (2.0, 9.0));
    }

    #[test]
    fn every_round_has_another_order_and_everybody_in_it() {
        let orders: Vec<_> = (0..4).map(|round| order(4, round)).collect();
        for (index, first) in orders.iter().enumerate() {
            let mut sorted = first.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            assert!(!orders[index + 1..].contains(first));
        }
        assert_eq!(order(1, 7), [0]);
    }

    #[test]
    fn a_failed_round_leaves_no_figure() {
        let sample = Sample {
            per_second: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            cpu_us: None,
            user_us: None,
            switches: None,
            resident_kb: None,
            grown_kb: None,
        };
        let mut cell = Cell::default();
        cell.add(Ok(sample));
        assert!(cell.spread(|sample| Some(sample.per_second)).is_some());
        assert!(cell.spread(|sample| sample.cpu_us).is_none());
        cell.add(Err("no".to_owned()));
        assert!(cell.spread(|sample| Some(sample.per_second)).is_none());
    }
}
