package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func TestRunStoresWhatWasCountedAndTellsWhatItCouldNotDo(t *testing.T) {
	w := newWorld(t)
	p := w.project(t, "Bot", versionID)
	w.voiceflow.forwardTo(fine)
	_, ben := w.talker(t, "ben", p)
	calls := func() int64 {
		t.Helper()
		got, err := w.GetUsage(t.Context(), w.admin, app.GetUsage{GroupBy: "project"}, domain.Cursor{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Items) == 0 {
			return 0
		}
		return got.Items[0].Calls
	}
	talk := func() {
		t.Helper()
		if _, err := w.use(t, turn("x", ben), "POST", "{}"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	failed, ran := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(ran)
		w.Run(ctx, func(what string, _ error) { failed <- what })
	}()

	talk()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for calls() != 1 {
		select {
		case <-tick.C:
		case what := <-failed:
			t.Fatalf("Run could not %s", what)
		case <-deadline:
			t.Fatal("Run does not store what was counted")
		}
	}

	talk()
	w.store.Break()
	for want := "store the counts of usage"; ; {
		what := <-failed
		if what == want {
			break
		}
		if what != "chain the audit" && what != "look whether all keys open" { // with which Run begins
			t.Errorf("Run says that it could not %s", what)
		}
	}
	w.store.Mend()
	talk()
	stop()
	<-ran
	if got := calls(); got != 3 {
		t.Errorf("at the end %d calls are stored, want 3", got)
	}
}
