//! A tuning as a page: one file, no script, nothing fetched from elsewhere; the look of the other reports.

use std::fmt::Write as _;

use super::front_chart::chart;
use super::{figure_rows, headline, held_words, markdown, number, percent, short, with_interval};
use crate::model::Tuned;

/// The look that all reports share.
const STYLE: &str = include_str!("../../../reports/templates/style.css");

/// `index.html`.
pub fn page(tuned: &Tuned) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Tuned policy – backspin</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
    );
    header(&mut html, tuned);
    html.push_str("<main>\n");
    if !tuned.warnings.is_empty() {
        html.push_str("<section class=\"notices\" aria-label=\"To be careful about\">\n<h2>To be careful about</h2>\n<ul>\n");
        for warning in &tuned.warnings {
            let _ = writeln!(html, "<li>{}</li>", words(warning));
        }
        html.push_str("</ul>\n</section>\n");
    }
    section(&mut html, "What changed");
    let head = ["part", "was", "is", "could be", "Morris μ* (σ)", "first-order", "total"];
    table(
        &mut html,
        "Parts that were tuned",
        &head,
        &markdown::parts(tuned),
        "μ* is how much the objective changes over the whole range of a part, σ how much that depends on the others. The first-order \
         index is the share of the variation that the part alone is answerable for, the total one with all its interactions; with \
         95 % bootstrap intervals, for the parts that matter most.",
    );
    if let Some(threshold) = &tuned.threshold {
        let _ = writeln!(html, "<p>Worked out from good deploys: <code>{}</code>.</p>", escaped(threshold));
    }
    html.push_str("</section>\n");
    candidates(&mut html, tuned);
    trust(&mut html, tuned);
    section(&mut html, "What nothing beats");
    let _ = writeln!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Picture\">{}</div>",
        chart(tuned)
    );
    let _ = writeln!(
        html,
        "<p class=\"small\">Orange: found by the search; blue: the even spread; violet: what was. The larger, the later it is \
         decided (median). Of what lies between the best and the worst in all three, the search's finalists cover {:.3}, the even \
         spread's {:.3}.</p>",
        tuned.hypervolume, tuned.hypervolume_baseline
    );
    let rows: Vec<Vec<String>> = tuned
        .front
        .iter()
        .map(|point| {
            vec![
                point.what.clone(),
                format!("{:.2} %", point.false_rollbacks * 100.0),
                format!("{:.0} s", point.delay_s),
                number(point.cost),
                point.words.clone(),
            ]
        })
        .collect();
    html.push_str("<details>\n<summary>As a table</summary>\n");
    table(
        &mut html,
        "Candidates",
        &["candidate", "false rollbacks", "median delay", "cost", "values"],
        &rows,
        "",
    );
    html.push_str("</details>\n</section>\n</main>\n</body>\n</html>\n");
    html
}

fn header(html: &mut String, tuned: &Tuned) {
    let is_sure = tuned.before != tuned.after && tuned.chosen.gain.interval().0 > 0.0;
    let tone = if is_sure { "good" } else { "part" };
    let _ = writeln!(
        html,
        "<header>\n<p class=\"kicker\">Tuned on {}</p>\n<h1 class=\"came tone-{tone}\">{}</h1>",
        escaped(&tuned.trained.join(", ")),
        escaped(&headline(tuned))
    );
    html.push_str("<dl class=\"facts\">\n");
    let must = if tuned.constraints.is_empty() { "nothing".to_owned() } else { tuned.constraints.join(", ") };
    for (name, value) in [
        ("made small", tuned.objective.clone()),
        ("must hold", must),
        ("candidates", tuned.tried.to_string()),
        ("runs of a finalist", tuned.runs.to_string()),
        ("false rollbacks", percent(tuned.chosen.figures.false_rollbacks)),
        ("better than an even spread", with_interval(tuned.over_baseline)),
    ] {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value));
    }
    let _ = writeln!(
        html,
        "</dl>\n<p class=\"small\">Policy <code>{}</code> became <code>{}</code>. Again: <code>{}</code>, backspin {}. Intervals are \
         95 %: Wilson's for shares, normal over paired runs for differences.</p>\n</header>",
        short(&tuned.before),
        short(&tuned.after),
        escaped(&tuned.command),
        escaped(&tuned.build)
    );
}

fn candidates(html: &mut String, tuned: &Tuned) {
    section(html, "Candidates");
    let told = [&tuned.start, &tuned.chosen, &tuned.best, &tuned.baseline];
    let rows: Vec<Vec<String>> = figure_rows(&told)
        .into_iter()
        .map(|(name, cells)| std::iter::once(name.to_owned()).chain(cells).collect())
        .collect();
    table(
        html,
        "Candidates",
        &["figure", "what was", "taken", "best found", "best of an even spread"],
        &rows,
        "Taken is, of the finalists that are as good as the best within one standard error, the one that changes least.",
    );
    html.push_str("</section>\n");
}

fn trust(html: &mut String, tuned: &Tuned) {
    if !tuned.folds.is_empty() {
        section(html, "Families left out");
        let rows: Vec<Vec<String>> = tuned
            .folds
            .iter()
            .map(|fold| {
                let cells = [fold.start, fold.without, fold.with].map(number);
                [fold.family.clone(), fold.runs.to_string()].into_iter().chain(cells).collect()
            })
            .collect();
        table(
            html,
            "Families left out",
            &["family", "runs", "what was", "chosen without it", "chosen with it"],
            &rows,
            "The objective on the family that was left out, of the finalist that is best on all others. The finalists were found with \
             all families.",
        );
        html.push_str("</section>\n");
    }
    section(html, "Locked away");
    match &tuned.held_out {
        Some(held) => {
            for sentence in held_words(held, tuned.chosen.gain) {
                let _ = writeln!(html, "<p>{}</p>", escaped(&sentence));
            }
        }
        None => html.push_str("<p>Not opened.</p>\n"),
    }
    html.push_str("</section>\n");
}

fn section(html: &mut String, title: &str) {
    let _ = writeln!(html, "<section>\n<h2>{}</h2>", escaped(title));
}

fn table(html: &mut String, label: &str, head: &[&str], rows: &[Vec<String>], caption: &str) {
    let _ = writeln!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table class=\"figures\">",
        escaped(label)
    );
    if !caption.is_empty() {
        let _ = writeln!(html, "<caption><span>{}</span></caption>", escaped(caption));
    }
    html.push_str("<thead><tr>");
    for cell in head {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(cell));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (n, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = if n == 0 {
                write!(html, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(html, "<td class=\"num\">{cell}</td>")
            };
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

/// A text with what stands in backticks as code.
fn words(text: &str) -> String {
    let mut html = String::new();
    for (n, part) in text.split('`').enumerate() {
        let part = escaped(part);
        if n % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(&part);
        }
    }
    html
}

/// A text that means nothing to a browser.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}
