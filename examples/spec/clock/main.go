// Command clock tells the time of a zone: GET /Europe/Lisbon.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"status":"ok"}`)
	})
	http.HandleFunc("GET /", tell)

	server := &http.Server{
		Addr:              "0.0.0.0:" + cmp.Or(os.Getenv("PORT"), "8080"),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		<-ctx.Done()
		server.Close()
	}()

	log.Printf("clock: listening on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func tell(w http.ResponseWriter, r *http.Request) {
	zone, err := time.LoadLocation(cmp.Or(strings.Trim(r.URL.Path, "/"), "UTC"))
	if err != nil {
		http.Error(w, "no such zone", http.StatusNotFound)
		return
	}
	fmt.Fprintln(w, time.Now().In(zone).Format(time.RFC1123Z))
}
