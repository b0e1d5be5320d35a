//! The picture of a run: four panels over one time axis, as SVG text without a font or a script.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ink::{CANDIDATE, CONTROL, FAINT, GAP, GRID, INK, LIMIT, MARK, Role, finish};
use super::series::{Mark, Points, Series};
use super::words;

/// Size in user units; the page scales it to its width.
const WIDTH: i32 = 960;
const LABELS: i32 = 66;
const RIGHT: i32 = 16;
const PANEL: i32 = 158;
const TITLE: i32 = 24;
const AXIS: i32 = 40;
const LABEL_ROW: i32 = 17;

/// Font sizes as the library wants them: it divides by 1.24.
const TEXT: f64 = 12.0 * 1.24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// One line of a panel.
struct Line<'a> {
    name: &'a str,
    points: &'a Points,
    role: Role,
    width: u32,
    steps: bool,
}

/// One panel.
struct Panel<'a> {
    title: String,
    lines: Vec<Line<'a>>,
    limit: Option<f64>,
    limit_name: &'static str,
    /// Fixed top of the axis, or as the data needs it.
    top: Option<f64>,
    /// Most that is shown, as a multiple of the limit.
    cut: Option<f64>,
    show: fn(&f64) -> String,
}

/// Draws a run. `label` is read out in place of the picture.
pub(super) fn draw(series: &Series, judge: &str, label: &str) -> Result<String, String> {
    let panels = panels(series, judge);
    let rows = mark_rows(&series.marks, series.span);
    let band = (rows.iter().copied().max().unwrap_or(0) + 1) * LABEL_ROW + 6;
    let height = band + panels.iter().map(|_| PANEL).sum::<i32>() + AXIS;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH.unsigned_abs(), height.unsigned_abs()))
            .into_drawing_area();
        draw_all(&root, series, &panels, &rows, band).map_err(|error| error.to_string())?;
        root.present().map_err(|error| error.to_string())?;
    }
    Ok(finish(&svg, (WIDTH, height), label))
}

fn panels<'a>(s: &'a Series, judge: &str) -> Vec<Panel<'a>> {
    let pair = |candidate: &'a Points, control: &'a Points| {
        vec![
            Line { name: "control", points: control, role: CONTROL, width: 2, steps: false },
            Line { name: "candidate", points: candidate, role: CANDIDATE, width: 2, steps: false },
        ]
    };
    vec![
        Panel {
            title: "Failed requests, share per scrape".into(),
            lines: pair(&s.candidate_errors, &s.control_errors),
            limit: s.error_limit,
            limit_name: "limit",
            top: None,
            cut: None,
            show: |v| words::percent(rounded(*v)),
        },
        Panel {
            title: "Response time, p99".into(),
            lines: pair(&s.candidate_p99, &s.control_p99),
            limit: s.latency_limit,
            limit_name: "limit",
            top: None,
            cut: None,
            show: |v| format!("{v:.0} ms"),
        },
        Panel {
            title: "Candidate's share of traffic".into(),
            lines: vec![
                Line {
                    name: "configured",
                    points: &s.share_configured,
                    role: CONTROL,
                    width: 2,
                    steps: true,
                },
                Line { name: "real", points: &s.share_real, role: CANDIDATE, width: 2, steps: false },
            ],
            limit: None,
            limit_name: "",
            top: Some(1.0),
            cut: None,
            show: |v| words::percent(rounded(*v)),
        },
        Panel {
            title: format!("Score of the judge {judge}"),
            lines: vec![Line { name: "score", points: &s.score, role: CANDIDATE, width: 2, steps: false }],
            limit: s.score_limit,
            limit_name: "threshold",
            top: None,
            cut: Some(3.0),
            show: |v| words::number(rounded(*v)),
        },
    ]
}

/// Axis values are multiples of a short decimal; this removes the float's tail.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn draw_all(root: &Area<'_>, s: &Series, panels: &[Panel<'_>], rows: &[i32], band: i32) -> Drawn {
    let (top, rest) = root.split_vertically(band);
    let mut rest = rest;
    for (k, panel) in panels.iter().enumerate() {
        let last = k + 1 == panels.len();
        let (area, below) = rest.split_vertically(if last { PANEL + AXIS } else { PANEL });
        draw_panel(&area, s, panel, last)?;
        rest = below;
    }
    let count = panels.iter().map(|_| 1).sum::<i32>();
    for (mark, row) in s.marks.iter().zip(rows) {
        draw_mark(root, &top, s, mark, *row, (band, band + PANEL * count))?;
    }
    Ok(())
}

fn draw_panel(area: &Area<'_>, s: &Series, panel: &Panel<'_>, last: bool) -> Drawn {
    draw_title(area, panel, !s.gaps.is_empty())?;
    let top = panel.top();
    let mut chart = ChartBuilder::on(area)
        .margin_top(TITLE)
        .margin_right(RIGHT)
        .margin_bottom(if last { 0 } else { 10 })
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, if last { AXIS + 10 } else { 0 })
        .build_cartesian_2d(s.span.0..s.span.1, 0.0..top)?;
    for &(from, to) in &s.gaps {
        chart.draw_series([Rectangle::new([(from, 0.0), (to.min(s.span.1), top)], GAP.drawn.filled())])?;
    }
    let text = ("sans-serif", TEXT).into_font().color(&FAINT.drawn);
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.drawn)
        .axis_style(GRID.drawn)
        .label_style(text)
        .y_labels(4)
        .y_label_formatter(&panel.show);
    if last {
        mesh.x_labels(14).x_label_formatter(&|x| format!("{x:.0}")).x_desc(axis_words(s));
        mesh.axis_desc_style(("sans-serif", TEXT).into_font().color(&FAINT.drawn));
    } else {
        mesh.x_labels(0);
    }
    mesh.draw()?;
    if let Some(limit) = panel.limit.filter(|limit| *limit <= top) {
        chart.draw_series([PathElement::new(
            vec![(s.span.0, limit), (s.span.1, limit)],
            LIMIT.drawn.stroke_width(2),
        )])?;
    }
    for line in &panel.lines {
        for run in runs(line.points, s.interval, line.steps) {
            let run = run.into_iter().map(|(x, y)| (x, y.clamp(0.0, top)));
            let style = line.role.drawn.stroke_width(line.width);
            chart.draw_series([PathElement::new(run.collect::<Vec<_>>(), style)])?;
        }
    }
    if panel.is_empty() {
        let (x, y) = ((LABELS + WIDTH - RIGHT) / 2, i32::midpoint(TITLE, PANEL));
        area.draw(&Text::new("no data in this record", (x, y), anchored(FAINT, HPos::Center)))?;
    }
    Ok(())
}

fn axis_words(s: &Series) -> String {
    let rest =
        if s.span.1 < s.end { format!("; the record goes on until {:.0}", s.end) } else { String::new() };
    format!("minutes since the deploy{rest}")
}

fn draw_title(area: &Area<'_>, panel: &Panel<'_>, gaps: bool) -> Drawn {
    let bold = ("sans-serif", TEXT, FontStyle::Bold).into_font().color(&INK.drawn);
    area.draw(&Text::new(panel.title.clone(), (LABELS, 5), bold))?;
    // From the right, so that the legends of all panels stand below each other.
    let mut x = WIDTH - RIGHT;
    let mut entries: Vec<(String, Role)> = Vec::new();
    if let Some(limit) = panel.limit {
        let beyond = if limit > panel.top() { ", above the picture" } else { "" };
        entries.push((format!("{} {}{beyond}", panel.limit_name, (panel.show)(&limit)), LIMIT));
    }
    for line in panel.lines.iter().filter(|line| line.points.iter().any(|(_, y)| y.is_some())) {
        let cut = if panel.is_cut() { " (cut off above)" } else { "" };
        entries.push((format!("{}{cut}", line.name), line.role));
    }
    if gaps && panel.limit_name == "limit" {
        entries.push(("no data of the candidate".into(), GAP));
    }
    for (name, role) in entries {
        x -= text_width(&name);
        area.draw(&Text::new(name, (x, 5), anchored(INK, HPos::Left)))?;
        // As thick as a field of its colour where the role is a field.
        let width = if role.variable == GAP.variable { 12 } else { 2 };
        let sample = vec![(x - 30, 12), (x - 6, 12)];
        area.draw(&PathElement::new(sample, role.drawn.stroke_width(width)))?;
        x -= 46;
    }
    Ok(())
}

fn draw_mark(root: &Area<'_>, top: &Area<'_>, s: &Series, mark: &Mark, row: i32, y: (i32, i32)) -> Drawn {
    let x = pixel(mark.at, s.span);
    let text_y = row * LABEL_ROW + 4;
    // A word that would run out of the picture stands before its line.
    let fits = x + 4 + text_width(mark.word) <= WIDTH;
    let (from, side) = if fits { (x + 4, HPos::Left) } else { (x - 4, HPos::Right) };
    top.draw(&Text::new(mark.word, (from, text_y), anchored(INK, side)))?;
    root.draw(&PathElement::new(vec![(x, text_y), (x, y.0)], MARK.drawn.stroke_width(1)))?;
    for panel in 0..(y.1 - y.0) / PANEL {
        let from = y.0 + panel * PANEL;
        let line = vec![(x, from + TITLE), (x, from + PANEL - 10)];
        root.draw(&PathElement::new(line, MARK.drawn.stroke_width(1)))?;
    }
    Ok(())
}

fn anchored(role: Role, h: HPos) -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&role.drawn).pos(Pos::new(h, VPos::Top))
}

/// Where a minute lies, in user units.
fn pixel(minute: f64, span: (f64, f64)) -> i32 {
    let (left, right) = (f64::from(LABELS), f64::from(WIDTH - RIGHT));
    (left + (right - left) * (minute - span.0) / (span.1 - span.0)).round() as i32
}

/// Estimated: the reader's font is not known. Generous, so that texts do not meet.
fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * 6.7).ceil() as i32
}

/// Rows of the marks' words: each below all words that reach beyond it, so that neither its word nor its line runs
/// into another.
fn mark_rows(marks: &[Mark], span: (f64, f64)) -> Vec<i32> {
    let mut placed: Vec<(i32, i32)> = Vec::new();
    for mark in marks {
        let x = pixel(mark.at, span);
        let row = placed.iter().filter(|(end, _)| *end > x).map(|(_, row)| row + 1).max().unwrap_or(0);
        placed.push((x + text_width(mark.word) + 10, row));
    }
    placed.into_iter().map(|(_, row)| row).collect()
}

impl Panel<'_> {
    fn greatest(&self) -> f64 {
        let values = self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y));
        values.filter(|y| y.is_finite()).fold(0.0, f64::max)
    }

    fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.iter().all(|(_, y)| y.is_none()))
    }

    fn is_cut(&self) -> bool {
        self.greatest() > self.top()
    }

    /// The top of the axis: the data, and the limit unless it would flatten the data.
    fn top(&self) -> f64 {
        if let Some(top) = self.top {
            return top;
        }
        let data = self.greatest();
        let needed = match (self.limit.filter(|limit| *limit > 0.0), self.cut) {
            (Some(limit), Some(cut)) => data.min(limit * cut).max(limit),
            (Some(limit), None) if limit <= 4.0 * data || data == 0.0 => data.max(limit),
            (Some(_) | None, _) => data,
        };
        if needed > 0.0 { needed * 1.08 } else { 1.0 }
    }
}

/// Unbroken stretches of a line; as steps where a value holds until the next one.
fn runs(points: &Points, interval: f64, steps: bool) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut open = false;
    for &(x, y) in points {
        let Some(y) = y.filter(|y| y.is_finite()) else {
            open = false;
            continue;
        };
        if !open {
            runs.push(Vec::new());
        }
        open = true;
        let Some(run) = runs.last_mut() else { continue };
        if let Some(&(_, before)) = run.last()
            && steps
            && before != y
        {
            run.push((x, before));
        } else if run.is_empty() {
            // A value covers the interval before its scrape; a single one would otherwise be invisible.
            run.push((x - interval, y));
        }
        run.push((x, y));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::ink::ROLES;
    use super::super::model::Limits;
    use super::super::series::series;
    use super::*;
    use backspin_record::sample::Sample;

    fn picture(sample: &Sample) -> String {
        draw(&series(&sample.entries(), Limits::default()), "esr", "a <label>").expect("drawn")
    }

    #[test]
    fn every_colour_becomes_a_variable() {
        let svg = picture(&Sample { gap: 20..28, ..Sample::default() });
        assert!(!svg.contains("\"#"), "a fixed colour is left");
        for role in ROLES {
            assert!(svg.contains(role.variable), "{}", role.variable);
        }
        assert!(svg.contains("aria-label=\"a &lt;label&gt;\""));
        assert!(svg.contains("stroke-dasharray=\"6 3\""));
    }

    #[test]
    fn panels_without_data_say_so() {
        assert_eq!(picture(&Sample::default()).matches("no data in this record").count(), 0);
        let svg = picture(&Sample { latency_recorded: false, ..Sample::default() });
        assert_eq!(svg.matches("no data in this record").count(), 1);
        let empty = draw(&series(&[], Limits::default()), "esr", "nothing").expect("drawn");
        assert_eq!(empty.matches("no data in this record").count(), 4);
    }

    #[test]
    fn lines_break_where_data_is_missing() {
        let points = vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0)), (3.0, Some(3.0))];
        assert_eq!(
            runs(&points, 1.0, false),
            [vec![(-1.0, 1.0), (0.0, 1.0)], vec![(1.0, 2.0), (2.0, 2.0), (3.0, 3.0)]]
        );
        assert_eq!(runs(&points, 1.0, true)[1], [(1.0, 2.0), (2.0, 2.0), (3.0, 2.0), (3.0, 3.0)]);
    }

    #[test]
    fn words_that_would_meet_stand_in_rows() {
        let marks: Vec<_> =
            [0.0, 12.0, 12.5, 13.0, 40.0].into_iter().map(|at| Mark { at, word: "mitigated" }).collect();
        assert_eq!(mark_rows(&marks, (-5.0, 60.0)), [0, 0, 1, 2, 0]);
    }

    #[test]
    fn the_same_record_gives_the_same_bytes() {
        assert_eq!(picture(&Sample::default()), picture(&Sample::default()));
    }
}
