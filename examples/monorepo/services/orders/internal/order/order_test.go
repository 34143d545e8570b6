package order

import (
	"errors"
	"testing"
	"time"
)

func TestAnOrderOfNothingIsRefused(t *testing.T) {
	if _, err := New(nil, time.Now()); !errors.Is(err, ErrEmpty) {
		t.Fatalf("got %v, want %v", err, ErrEmpty)
	}
}

func TestAStoreKeepsTheSequence(t *testing.T) {
	var store Store
	for _, book := range []string{"Middlemarch", "Emma"} {
		placed, err := New([]string{book}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		store.Add(placed)
	}
	if all := store.All(); all[0].Books[0] != "Middlemarch" || all[1].Books[0] != "Emma" {
		t.Fatalf("got %v", all)
	}
}
