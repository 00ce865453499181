//! What was measured: sections of aligned columns, and the aims with what became of them.

use std::fmt;

/// Everything that is printed.
#[derive(Default)]
pub struct Table {
    head: Vec<String>,
    sections: Vec<Section>,
    aims: Vec<[String; 3]>,
}

/// Rows under one title; the first column is words, the others are numbers.
pub struct Section {
    title: String,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Section {
    /// A section with these columns.
    pub fn new(title: &str, columns: &[&str]) -> Section {
        let columns = columns.iter().map(|column| (*column).to_string()).collect();
        Section { title: title.to_string(), rows: vec![columns], notes: Vec::new() }
    }

    pub fn row(&mut self, what: impl Into<String>, numbers: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(what.into()).chain(numbers).collect());
    }

    /// A line of explanation under the rows.
    pub fn note(&mut self, note: &str) {
        self.notes.push(note.to_string());
    }
}

impl Table {
    pub fn head(&mut self, line: &str) {
        self.head.push(line.to_string());
    }

    pub fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// An aim, what was measured, and whether it was met.
    pub fn aim(&mut self, aim: &str, measured: String, met: bool) {
        let verdict = if met { "ok" } else { "MISSED" };
        self.aims.push([aim.to_string(), measured, verdict.to_string()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.head {
            writeln!(f, "{line}")?;
        }
        for section in &self.sections {
            writeln!(f, "\n{}\n", section.title)?;
            aligned(f, &section.rows)?;
            for note in &section.notes {
                writeln!(f, "  {note}")?;
            }
        }
        if !self.aims.is_empty() {
            writeln!(f, "\naims\n")?;
            let columns = ["aim", "measured", ""].map(str::to_string);
            let rows: Vec<Vec<String>> = std::iter::once(&columns).chain(&self.aims).map(|row| row.to_vec()).collect();
            aligned(f, &rows)?;
        }
        Ok(())
    }
}

fn aligned(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        write!(f, "  ")?;
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match at {
                0 => write!(f, "{cell:width$}")?,
                _ => write!(f, "  {cell:>width$}")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// `1,234,567`
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A quotient with one decimal, `12.3`, rounded down.
pub fn ratio(above: u64, below: u64) -> String {
    match (above * 10).checked_div(below) {
        Some(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
        None => "-".to_string(),
    }
}
