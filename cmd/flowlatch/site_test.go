package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func TestSessionsThatAreOverAreSwept(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	said := new(transcript)
	log := slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	folder := t.TempDir()
	cfg, _, err := readConfig(source{flags: map[string]string{"DATA_DIR": folder, "SESSION_IDLE": "1s"}})
	if err != nil {
		t.Fatal(err)
	}
	site, closeAll, err := openSite(ctx, cfg, func(string) {}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	call, err := site.Service.OperatorCall()
	if err != nil {
		t.Fatal(err)
	}
	password := domain.NewSecret(adminPassword)
	if _, err := site.Service.CreateUser(ctx, call, app.CreateUser{Username: "ada", Password: password}); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Service.Login(ctx, call, app.Login{Username: "ada", Password: password}); err != nil {
		t.Fatal(err)
	}
	sessions := func() int {
		return count(t, "sqlite", "file:"+folder+"/flowlatch.db?mode=ro", "SELECT count(*) FROM sessions")
	}
	if n := sessions(); n != 1 {
		t.Fatalf("%d sessions before, want 1", n)
	}

	tick, swept := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(swept)
		site.sweep(ctx, tick, log)
	}()
	eventually(t, "the session is swept", func() bool {
		tick <- time.Time{}
		return sessions() == 0
	})
	if !strings.Contains(said.String(), `"msg":"swept"`) {
		t.Errorf("the log does not tell:\n%s", said)
	}

	if err := site.Store.Close(); err != nil { // an outage
		t.Fatal(err)
	}
	tick <- time.Time{}
	eventually(t, "the failure is in the log", func() bool { return strings.Contains(said.String(), "could not be swept") })
	cancel()
	<-swept
}
