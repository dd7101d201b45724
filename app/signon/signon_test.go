package signon_test

import (
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/app/signon"
)

func TestHowOftenAnOpenCallLooksAgain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		logins *signon.Logins
		want   time.Duration
	}{
		{"without a provider, each minute", nil, time.Minute},
		{"each minute", signon.New(signon.Ports{}, signon.Options{Recheck: 15 * time.Minute}), time.Minute},
		{"as often as the provider is asked, if that is more often", signon.New(signon.Ports{}, signon.Options{Recheck: time.Second}), time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.logins.Pause(); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
