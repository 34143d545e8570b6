// Command worker places the shop's standing orders until it is told to end.
package main

import (
	"cmp"
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/bookshop/orders/internal/order"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("orders-worker: ")
	interval, err := time.ParseDuration(cmp.Or(os.Getenv("INTERVAL"), "1m"))
	if err != nil || interval <= 0 {
		log.Fatalf("INTERVAL is no duration: %q", os.Getenv("INTERVAL"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	log.Printf("placing a standing order every %s", interval)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			placed, err := order.New([]string{"The Almanac"}, now)
			if err != nil {
				log.Fatal(err)
			}
			log.Printf("placed %s", placed.ID)
		}
	}
}
