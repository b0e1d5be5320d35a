//! Go's `fmt.Sprintf`, as far as numbers and text need it.

use super::super::super::eval::number::general;
use super::values::Value;

/// Widest field and most digits that a format may ask for.
const WIDTH_MAX: usize = 1_000;

#[derive(Default)]
struct Verb {
    /// Those of `-+0 #` that are given.
    flags: String,
    width: usize,
    precision: Option<usize>,
}

/// `format` with its verbs filled in, and what is wrong with it in Go's words.
pub(super) fn sprintf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (verb, behind) = verb_of(rest);
        let Some(letter) = behind.chars().next() else {
            out.push_str("%!(NOVERB)");
            return out;
        };
        rest = &behind[letter.len_utf8()..];
        if letter == '%' {
            out.push('%');
            continue;
        }
        if let Some(arg) = args.next() {
            out.push_str(&verb.padded(&verb.written(letter, arg)));
        } else {
            out.push_str("%!");
            out.push(letter);
            out.push_str("(MISSING)");
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = args.map(|arg| format!("{}={}", arg.kind(), arg.printed())).collect();
    if !extra.is_empty() {
        out.push_str("%!(EXTRA ");
        out.push_str(&extra.join(", "));
        out.push(')');
    }
    out
}

/// Flags, width and precision, and what stands behind them.
fn verb_of(text: &str) -> (Verb, &str) {
    let mut verb = Verb::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next().filter(|c| "-+0 #".contains(*c)) {
        verb.flags.push(flag);
        rest = &rest[1..];
    }
    let digits = |rest: &str| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let len = digits(rest);
    verb.width = rest[..len].parse().unwrap_or(0).min(WIDTH_MAX);
    rest = &rest[len..];
    if let Some(behind) = rest.strip_prefix('.') {
        let len = digits(behind);
        verb.precision = Some(behind[..len].parse().unwrap_or(0).min(WIDTH_MAX));
        rest = &behind[len..];
    }
    (verb, rest)
}

impl Verb {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn written(&self, letter: char, value: &Value) -> String {
        match (letter, value) {
            ('v' | 'g', Value::Float(number)) => self.signed(self.shortest(*number)),
            ('v', value) => value.printed(),
            ('f' | 'F', Value::Float(number)) => self.signed(fixed(*number, self.precision.unwrap_or(6))),
            ('e', Value::Float(number)) => self.signed(exponent(*number, self.precision.unwrap_or(6))),
            ('d', Value::Int(number)) => self.signed(number.to_string()),
            ('x', Value::Int(number)) => format!("{number:x}"),
            ('s', Value::Text(text)) => self.cut(text),
            ('q', Value::Text(text)) => crate::store::quoted(&self.cut(text)),
            ('t', Value::Bool(value)) => value.to_string(),
            ('s' | 'q', Value::Labels(_) | Value::Samples(_) | Value::Sample(_)) => value.printed(),
            (letter, value) => format!("%!{letter}({}={})", value.kind(), value.printed()),
        }
    }

    fn shortest(&self, number: f64) -> String {
        self.precision.map_or_else(|| general(number), |digits| significant(number, digits))
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, text: String) -> String {
        let is_signed = text.starts_with(['-', '+']);
        match (self.has('+'), self.has(' ')) {
            (true, _) if !is_signed => format!("+{text}"),
            (false, true) if !is_signed => format!(" {text}"),
            _ => text,
        }
    }

    fn padded(&self, text: &str) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if missing == 0 {
            return text.to_owned();
        }
        if self.has('-') {
            return format!("{text}{}", " ".repeat(missing));
        }
        let is_number = text.trim_start_matches(['+', '-', ' ']).starts_with(|c: char| c.is_ascii_digit());
        if self.has('0') && is_number {
            let sign = text.len() - text.trim_start_matches(['+', '-', ' ']).len();
            return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
        }
        format!("{}{text}", " ".repeat(missing))
    }
}

fn special(number: f64) -> Option<String> {
    (!number.is_finite()).then(|| general(number))
}

/// `%.Nf`.
pub(super) fn fixed(number: f64, digits: usize) -> String {
    special(number).unwrap_or_else(|| format!("{number:.digits$}"))
}

/// `%.Ne`.
fn exponent(number: f64, digits: usize) -> String {
    special(number).unwrap_or_else(|| with_two_digits(&format!("{number:.digits$e}")))
}

/// An exponent with its sign and at least two digits.
fn with_two_digits(text: &str) -> String {
    match text.split_once('e') {
        Some((digits, power)) => match power.strip_prefix('-') {
            Some(power) => format!("{digits}e-{power:0>2}"),
            None => format!("{digits}e+{power:0>2}"),
        },
        None => text.to_owned(),
    }
}

/// `%.Ng`: so many digits that count, without zeros at the end.
pub(super) fn significant(number: f64, digits: usize) -> String {
    let digits = digits.max(1);
    if number == 0.0 || !number.is_finite() {
        return general(number);
    }
    let text = format!("{number:.*e}", digits - 1);
    let Some((mantissa, power)) = text.split_once('e') else { return text };
    let power: i32 = power.parse().unwrap_or(0);
    let trimmed =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    if power < -4 || power >= i32::try_from(digits).unwrap_or(i32::MAX) {
        return with_two_digits(&format!("{trimmed}e{power}"));
    }
    let after = usize::try_from(i32::try_from(digits).unwrap_or(i32::MAX) - 1 - power).unwrap_or(0);
    let plain = format!("{number:.after$}");
    if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.').to_owned() } else { plain }
}
