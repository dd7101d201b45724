package portstest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// wantNil fails the test unless err is nil. what names the call.
func wantNil(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %q, want success", what, err)
	}
}

// wantKind fails the test unless err is a *domain.Error of exactly that kind.
func wantKind(t *testing.T, what string, err error, kind domain.Kind) {
	t.Helper()
	if problem := otherThan(err, kind); problem != "" {
		t.Fatalf("%s: %s", what, problem)
	}
}

// otherThan says how err is something else than a *domain.Error of one of the kinds.
func otherThan(err error, kinds ...domain.Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = strconv.Quote(string(k))
	}
	want := "want a *domain.Error of kind " + strings.Join(names, " or ")
	if err == nil {
		return "got success, " + want
	}
	e, ours := errors.AsType[*domain.Error](err)
	if !ours {
		return fmt.Sprintf("got a %T (%q), %s", err, err, want)
	}
	if !slices.Contains(kinds, e.Kind) {
		return fmt.Sprintf("got kind %q (%q), %s", e.Kind, err, want)
	}
	for _, k := range domain.Kinds() {
		if k != e.Kind && errors.Is(err, k) {
			return fmt.Sprintf("got an error that is of kind %q and also of kind %q (%q), %s", e.Kind, k, err, want)
		}
	}
	return ""
}

// wantSame fails the test unless got and want are the same, times in UTC to the
// microsecond. what names what they are.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := difference(got, want); d != "" {
		t.Fatalf("%s: %s", what, d)
	}
}

// difference says where got and want are not the same: "" where they are. It never
// shows a Secret.
func difference(got, want any) string {
	switch w := want.(type) {
	case time.Time:
		g := got.(time.Time)
		if !g.Equal(w) {
			return fmt.Sprintf("got %v, want %v", g.Format(time.RFC3339Nano), w.Format(time.RFC3339Nano))
		}
		if g.Location() != time.UTC {
			return fmt.Sprintf("got %v in the zone %v, want it in UTC", g, g.Location())
		}
		return ""
	case domain.Secret:
		if !got.(domain.Secret).Equal(w) {
			return "got another secret than wanted"
		}
		return ""
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	var all []string
	switch {
	case w.Kind() == reflect.Struct:
		for i := range w.NumField() {
			if d := difference(g.Field(i).Interface(), w.Field(i).Interface()); d != "" {
				all = append(all, w.Type().Field(i).Name+": "+d)
			}
		}
	case w.Kind() == reflect.Slice && w.Type().Elem().Kind() != reflect.Uint8 && g.Len() == w.Len():
		for i := range w.Len() {
			if d := difference(g.Index(i).Interface(), w.Index(i).Interface()); d != "" {
				all = append(all, fmt.Sprintf("[%d]: %s", i, d))
			}
		}
	case w.Kind() == reflect.Slice && g.Len() == 0 && w.Len() == 0:
	case !reflect.DeepEqual(got, want):
		all = append(all, fmt.Sprintf("got %s, want %s", show(got), show(want)))
	}
	return strings.Join(all, "; ")
}

// show writes a value for a failure's message: text quoted, so that nothing in it is lost.
func show(v any) string {
	switch k := reflect.ValueOf(v).Kind(); {
	case k == reflect.String:
		return fmt.Sprintf("%q", v)
	case k == reflect.Slice && reflect.TypeOf(v).Elem().Kind() == reflect.String:
		return fmt.Sprintf("%d of them, %q", reflect.ValueOf(v).Len(), v)
	case k == reflect.Slice && reflect.TypeOf(v).Elem().Kind() == reflect.Uint8:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%+v", v)
}

// wantRecords fails the test unless the audit has exactly the rows of f.log, in that order.
func (f *fixture) wantRecords(t *testing.T, what string) {
	t.Helper()
	got := f.Records(t)
	if len(got) != len(f.log) {
		t.Fatalf("%s: got %d audit records %q, want %d %q", what, len(got), requests(got), len(f.log), requests(f.log))
	}
	wantSame(t, what+": audit records", got, f.log)
}

// wantRecordsInAnyOrder is wantRecords for calls that were made at once: those of more
// may stand in any order behind those of f.log, which they then belong to.
func (f *fixture) wantRecordsInAnyOrder(t *testing.T, what string, more []domain.Record) {
	t.Helper()
	got := f.Records(t)
	if len(got) != len(f.log)+len(more) {
		t.Fatalf("%s: got %d audit records, want %d: before %q; then got %q, want, in any order, %q", what, len(got),
			len(f.log)+len(more), requests(f.log), requests(got[min(len(f.log), len(got)):]), requests(more))
	}
	order := func(a, b domain.Record) int { return strings.Compare(a.RequestID, b.RequestID) }
	tail := slices.SortedFunc(slices.Values(got[len(f.log):]), order)
	wantSame(t, what+": audit records, sorted by RequestID", tail, slices.SortedFunc(slices.Values(more), order))
	f.log = got
}

func requests(records []domain.Record) []string {
	names := make([]string, len(records))
	for i, r := range records {
		names[i] = fmt.Sprintf("%s by %s", r.Action, r.RequestID)
	}
	return names
}

// ids returns the ids of projects, for messages and comparisons.
func ids(ps []domain.Project) []domain.ProjectID {
	all := make([]domain.ProjectID, len(ps))
	for i, p := range ps {
		all[i] = p.ID
	}
	return all
}

// step is one call with its own arguments.
type step struct {
	name string
	do   func(ctx context.Context) error
}

// wantUnavailable makes every call under contexts that have ended, and, where the
// database can be broken, once it is. All must be Unavailable, and same is to see that
// nothing has changed by those under an ended context.
func (f *fixture) wantUnavailable(t *testing.T, same func(t *testing.T), steps ...step) {
	t.Helper()
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the caller left"))
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelLate()
	for _, c := range steps {
		wantKind(t, c.name+" under a cancelled context", c.do(cancelled), domain.Unavailable)
		wantKind(t, c.name+" under a context past its deadline", c.do(late), domain.Unavailable)
	}
	same(t)
	if f.Break == nil {
		return
	}
	f.Break(t)
	for _, c := range steps {
		wantKind(t, c.name+" while the database is out of reach", c.do(t.Context()), domain.Unavailable)
	}
}

// wantReturn fails the test when do, whose context has ended, does not return.
func wantReturn(t *testing.T, what string, returned <-chan struct{}) {
	t.Helper()
	select {
	case <-returned:
	case <-time.After(patience):
		t.Fatalf("%s: still not back %v after its context had ended, want it to return promptly", what, patience)
	}
}
