package domain_test

import (
	"slices"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestOriginsAreComparedServiceByService(t *testing.T) {
	all := domain.Origins{domain.ServiceAPI: "a", domain.ServiceRuntime: "b", domain.ServiceAnalytics: "c", domain.ServiceRealtime: "d"}
	for _, tc := range []struct {
		name     string
		to       domain.Origins
		complete bool
		changed  []domain.Service
	}{
		{"the same", all, true, nil},
		{"none", nil, false, domain.Services()},
		{"one is missing", domain.Origins{domain.ServiceAPI: "a", domain.ServiceRuntime: "b", domain.ServiceAnalytics: "c"}, false, []domain.Service{domain.ServiceRealtime}},
		{"two are exchanged", domain.Origins{domain.ServiceAPI: "a", domain.ServiceRuntime: "c", domain.ServiceAnalytics: "b", domain.ServiceRealtime: "d"}, true,
			[]domain.Service{domain.ServiceRuntime, domain.ServiceAnalytics}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.to.Complete(); got != tc.complete {
				t.Errorf("Complete: got %v, want %v", got, tc.complete)
			}
			if got := all.Changed(tc.to); !slices.Equal(got, tc.changed) {
				t.Errorf("Changed: got %v, want %v", got, tc.changed)
			}
		})
	}
}
