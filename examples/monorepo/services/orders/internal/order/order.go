// Package order holds the orders of the shop.
package order

import (
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ErrEmpty is returned for an order of nothing.
var ErrEmpty = errors.New("an order needs at least one book")

// Order is what a customer wants to have.
type Order struct {
	ID     uuid.UUID `json:"id"`
	Books  []string  `json:"books"`
	Placed time.Time `json:"placed"`
}

// New places an order of books at the given time. Its id sorts by that time.
func New(books []string, placed time.Time) (Order, error) {
	if len(books) == 0 {
		return Order{}, ErrEmpty
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Order{}, err
	}
	return Order{ID: id, Books: books, Placed: placed.UTC()}, nil
}

// Store keeps orders in memory. Its zero value is empty.
type Store struct {
	mutex  sync.RWMutex
	orders []Order
}

// Add keeps an order.
func (s *Store) Add(order Order) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.orders = append(s.orders, order)
}

// All returns the orders in the sequence in which they were added.
func (s *Store) All() []Order {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return append([]Order{}, s.orders...)
}
