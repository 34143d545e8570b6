// Command api takes orders over HTTP.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"example.com/bookshop/orders/internal/order"
)

const (
	maxBody       = 64 << 10
	shutdownGrace = 5 * time.Second
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("orders-api: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	server := &http.Server{
		Addr:              "0.0.0.0:" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           routes(&order.Store{}),
		ReadHeaderTimeout: 5 * time.Second,
	}
	finished := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		finished <- server.Shutdown(grace)
	}()

	log.Printf("listening on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-finished; err != nil {
		log.Fatal(err)
	}
}

func routes(store *order.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok", "go": runtime.Version()})
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, store.All())
	})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var books []string
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&books); err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"error": "the body is a list of titles"})
			return
		}
		placed, err := order.New(books, time.Now())
		if err != nil {
			reply(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
			return
		}
		store.Add(placed)
		reply(w, http.StatusCreated, placed)
	})
	return mux
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}
