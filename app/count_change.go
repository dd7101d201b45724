package app

import "github.com/flowlatch/flowlatch/domain"

// CountChange counts a change that the caller asks for, before it is made. Changes that the
// operator makes do not count. Returns TooManyRequests if the user has used up their rate.
func (s *Service) CountChange(c domain.Caller) error {
	if s.ports.UserRates == nil || c.ID == "" {
		return nil
	}
	return s.ports.UserRates.Change(c.ID)
}
