package domain_test

import (
	"errors"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

func TestWhichCallsLeaveRows(t *testing.T) {
	for _, e := range domain.Endpoints() {
		for reads, leaves := range map[domain.AuditReads]bool{
			domain.NoReads:                  e.Writes,
			domain.ExportReads:              e.Writes || e.Scope == domain.ScopeExport,
			domain.ExportAndTranscriptReads: e.Writes || e.Scope == domain.ScopeExport || e.Scope == domain.ScopeTranscripts,
		} {
			if got := reads.Leaves(&e); got != leaves {
				t.Errorf("%s %s, of the choice %d: got %v, want %v", e.Method, e.Path, reads, got, leaves)
			}
		}
	}
}

func TestWhatMayHaveBeenDoneIsNotToBeRepeated(t *testing.T) {
	for _, tc := range []struct{ name, sentence, want string }{
		{"a sentence that says what happened", "Voiceflow did not answer in time", "Voiceflow did not answer in time; " + domain.LookFirst},
		{"a sentence that asks to try again", "the right can't be checked now; try again later", "the right can't be checked now; " + domain.LookFirst},
		{"no sentence", "", "Voiceflow gave no usable answer; " + domain.LookFirst},
	} {
		was := &domain.Error{Kind: domain.VoiceflowUnavailable, Public: tc.sentence, Cause: errors.New("x"), RetryAfter: time.Minute}
		is, _ := errors.AsType[*domain.Error](domain.MaybeDone(was))
		if is == nil || is.Public != tc.want || !is.MaybeDone || is.RetryAfter != 0 || is.Kind != was.Kind || !errors.Is(is, was.Cause) {
			t.Errorf("%s: got %+v", tc.name, is)
		}
		if was.MaybeDone || was.Public != tc.sentence {
			t.Errorf("%s: the error itself was changed to %+v", tc.name, was)
		}
	}
	if other := errors.New("x"); !errors.Is(domain.MaybeDone(other), other) {
		t.Error("another error was changed")
	}
}
