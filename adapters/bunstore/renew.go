package bunstore

import "context"

// RenewURL calls Options.Renew, as a connection that fails does. If the URL has changed, all
// connections are made anew with it. A URL that can't be used is logged, and the old one stays in
// use. RenewURL does nothing on SQLite.
func (s *Store) RenewURL(ctx context.Context) {
	if s.servers == nil {
		return
	}
	url, _, _ := s.servers.plan()
	if s.servers.renew(ctx, url) {
		s.servers.doubt()
	}
}
