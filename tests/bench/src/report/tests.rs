use async_trait::async_trait;

use super::*;
use crate::assignment::Settings;
use crate::scenarios::{Better, Ends, Figure};

/// Two figures, with a bar for the first against iroh.
struct Pretended;

#[async_trait]
impl Scenario for Pretended {
    fn name(&self) -> &'static str {
        "bulk"
    }

    fn settings(&self) -> Settings {
        Settings::Defaults
    }

    fn about(&self) -> String {
        "nothing <at> all".to_owned()
    }

    fn figures(&self) -> &'static [Figure] {
        &[
            Figure { key: "mib_per_s", unit: "MiB/s", better: Better::Higher },
            Figure { key: "seconds", unit: "s", better: Better::Lower },
        ]
    }

    fn rounds(&self) -> u32 {
        3
    }

    fn missing(&self, _: SubjectName) -> Option<String> {
        None
    }

    async fn run(&self, _: SubjectName, _: u32) -> Result<Run, Failure> {
        Err("only pretended".into())
    }
}

fn run(speed: f64) -> Result<Run, String> {
    let ends = Ends { server: 1.0, client: 2.0 };
    Ok(Run { figures: [("mib_per_s", speed), ("seconds", 1.0 / speed)].into(), cpu: ends, peak: ends })
}

fn results() -> Results {
    let runs = [
        (SubjectName::Wayside, vec![run(100.0), run(10.0), run(30.0)]),
        (SubjectName::Iroh, vec![run(50.0), run(20.0), run(20.0)]),
        (SubjectName::Quinn, vec![run(50.0), Err("it <fell> over".to_owned()), run(300.0)]),
        (SubjectName::Libp2pQuic, vec![Err("no".to_owned()), Err("no".to_owned()), Err("no".to_owned())]),
    ];
    let skipped = [(SubjectName::Tcp, "needs root".to_owned())].into();
    let section = Section { scenario: Box::new(Pretended), runs: runs.into(), skipped };
    Results { setup: Setup::here(), quick: false, sections: vec![section] }
}

#[test]
fn ratios_are_taken_within_rounds() {
    let results = results();
    let section = &results.sections[0];
    let figure = &section.scenario.figures()[0];
    // 2, 0.5 and 1.5, not 30 over 20.
    let ratio = section.ratio(SubjectName::Iroh, figure).unwrap();
    assert_eq!((ratio.value, ratio.bar, ratio.good), (1.5, Some(1.15), true));
    assert_eq!(section.figure(SubjectName::Iroh, figure), Some(20.0));
    // 2 and 0.1: what failed takes wayside's round with it.
    assert_eq!(section.ratio(SubjectName::Quinn, figure).unwrap().value, 1.05);
    assert!(section.ratio(SubjectName::Wayside, figure).is_none());
    assert!(section.ratio(SubjectName::Libp2pQuic, figure).is_none());
    let seconds = &section.scenario.figures()[1];
    assert!(section.ratio(SubjectName::Iroh, seconds).unwrap().good);
}

#[test]
fn who_failed_or_was_skipped_is_named_with_the_reason() {
    let results = results();
    assert!(results.failed());
    let table = table::of(&results);
    assert!(table.contains("quinn FAILED in 1 of 3 rounds: it <fell> over"), "{table}");
    assert!(table.contains("clear TCP SKIPPED: needs root"), "{table}");
    let json = json::of(&results);
    let text = json.to_string();
    assert!(
        text.contains("\"failed\":\"it <fell> over\"") && text.contains("\"tcp\":\"needs root\""),
        "{text}"
    );
    assert_eq!(json["failed"], true);
}

#[test]
fn columns_are_aligned() {
    let table = table::of(&results());
    let rows: Vec<_> = table.lines().skip_while(|line| !line.starts_with("bulk")).skip(2).take(4).collect();
    let ends: Vec<_> = rows.iter().map(|row| row.chars().count()).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
}

#[test]
fn a_chart_has_a_bar_for_each_figure_that_there_is() {
    let chart = svg::of(&results());
    // Three of four subjects by two figures, and the ground.
    assert_eq!(chart.matches("<rect").count(), 7, "{chart}");
    assert_eq!(chart.matches(">failed<").count(), 2, "{chart}");
    assert_eq!(chart.matches('<').count(), chart.matches('>').count());
}
