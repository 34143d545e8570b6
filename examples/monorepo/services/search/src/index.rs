//! A full-text index of titles, in the memory of SQLite.

use rusqlite::Connection;

const TITLES: [&str; 4] = [
    "A Tale of Two Cities",
    "Middlemarch",
    "Pride and Prejudice",
    "The Two Gentlemen of Verona",
];

pub struct Index {
    connection: Connection,
}

impl Index {
    pub fn of_all_titles() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch("CREATE VIRTUAL TABLE books USING fts5(title)")?;
        for title in TITLES {
            connection.execute("INSERT INTO books (title) VALUES (?1)", [title])?;
        }
        Ok(Self { connection })
    }

    /// The titles that hold every word, best first; none for no words.
    pub fn find(&self, words: &[String]) -> rusqlite::Result<Vec<String>> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let query: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        self.connection
            .prepare("SELECT title FROM books WHERE books MATCH ?1 ORDER BY rank, title")?
            .query_map([query.join(" ")], |row| row.get(0))?
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Index;

    #[test]
    fn every_word_must_be_in_a_title() {
        let index = Index::of_all_titles().unwrap();
        let find = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            index.find(&words).unwrap()
        };
        assert_eq!(find(&["two"]).len(), 2);
        assert_eq!(find(&["two", "cities"]), ["A Tale of Two Cities"]);
        assert!(find(&[]).is_empty());
    }
}
