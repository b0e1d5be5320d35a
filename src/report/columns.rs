//! A table that fits its terminal: cells never wrap; columns give way instead, in a given order.

/// A column, in full and perhaps in short.
pub(super) struct Column {
    pub(super) header: &'static str,
    pub(super) cells: Vec<String>,
    pub(super) short: Option<Vec<String>>,
    align: Align,
    /// Whether it goes when every cell is zero.
    if_any: bool,
}

/// Words stand at the left, numbers at the right.
#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// What is given up when the terminal is too narrow.
#[derive(Clone, Copy)]
pub(super) enum Give {
    /// Cells become short ones.
    Shorten(&'static str),
    /// The column goes.
    Drop(&'static str),
}

impl Column {
    pub(super) fn left(header: &'static str, cells: Vec<String>) -> Self {
        Self { header, cells, short: None, align: Align::Left, if_any: false }
    }

    pub(super) fn right(header: &'static str, cells: Vec<String>) -> Self {
        Self { align: Align::Right, ..Self::left(header, cells) }
    }

    /// Shown only if a cell is not zero.
    pub(super) fn if_any(self) -> Self {
        Self { if_any: true, ..self }
    }

    pub(super) fn or(self, short: Vec<String>) -> Self {
        Self { short: Some(short), ..self }
    }

    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.chars().count());
        cells.chain([self.header.chars().count()]).max().unwrap_or(0)
    }
}

/// Draws the columns within `width`, giving up what must be; an empty line before each row of `breaks`.
pub(super) fn draw(mut columns: Vec<Column>, gives: &[Give], width: usize, breaks: &[usize]) -> String {
    columns.retain(|column| !(column.if_any && column.cells.iter().all(|cell| cell == "0")));
    let needed =
        |columns: &[Column]| columns.iter().map(|c| c.width() + GUTTER).sum::<usize>().saturating_sub(GUTTER);
    for give in gives {
        if needed(&columns) <= width {
            break;
        }
        match *give {
            Give::Drop(header) => columns.retain(|column| column.header != header),
            Give::Shorten(header) => {
                if let Some(column) = columns.iter_mut().find(|column| column.header == header)
                    && let Some(short) = column.short.take()
                {
                    column.cells = short;
                }
            }
        }
    }
    let line = |cell: &dyn Fn(&Column) -> String| {
        let padded = columns.iter().map(|column| {
            let (cell, width) = (cell(column), column.width());
            match column.align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        // Blanks at the right would only wrap.
        padded.collect::<Vec<_>>().join(&" ".repeat(GUTTER)).trim_end().to_owned()
    };
    let mut lines = vec![line(&|column| column.header.to_owned()), "─".repeat(needed(&columns))];
    for row in 0..columns.first().map_or(0, |column| column.cells.len()) {
        if breaks.contains(&row) {
            lines.push(String::new());
        }
        lines.push(line(&|column| column.cells[row].clone()));
    }
    lines.join("\n")
}

/// Blanks between columns.
const GUTTER: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: usize) -> String {
        let column = |header, cell: &str| Column::left(header, vec![cell.to_owned(), "b".to_owned()]);
        let columns = vec![
            column("name", "family/name"),
            column("long", "a very long cell").or(vec!["short".into(), "b".into()]),
            column("last", "1"),
        ];
        draw(columns, &[Give::Shorten("long"), Give::Drop("last")], width, &[1])
    }

    #[test]
    fn columns_give_way_in_order_and_cells_never_wrap() {
        assert_eq!(table(80).lines().count(), 5);
        assert!(table(80).contains("a very long cell"));
        let narrow = table(26);
        assert!(narrow.contains("short") && narrow.contains("last"), "{narrow}");
        let narrower = table(18);
        assert!(!narrower.contains("last"), "{narrower}");
        assert!(narrower.lines().all(|line| line.chars().count() <= 18), "{narrower}");
    }
}
