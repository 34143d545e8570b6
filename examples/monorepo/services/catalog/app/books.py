"""The stock, small enough to keep in the program."""

from pydantic import BaseModel


class Book(BaseModel):
    isbn: str
    title: str
    author: str
    year: int


BOOKS = {
    book.isbn: book
    for book in (
        Book(isbn="9780140439083", title="Middlemarch", author="George Eliot", year=1871),
        Book(isbn="9780141439600", title="A Tale of Two Cities", author="Charles Dickens", year=1859),
        Book(isbn="9780141439518", title="Pride and Prejudice", author="Jane Austen", year=1813),
    )
}
