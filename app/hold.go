package app

import (
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

// Hold returns what the request of call holds in memory, which is nothing yet. The caller of Hold
// releases it when the request has ended. It is nil if there is no limit.
func (s *Service) Hold(call domain.Call) *ports.Held {
	return ports.NewHeld(s.ports.Held, domain.HolderOf(call.Caller, call.Address))
}
