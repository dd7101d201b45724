package bunstore

import "context"

// RenewURL calls Options.Renew, as a connection that fails does, but at any time. It waits until the
// call has ended or ctx is done. If the URL has changed, all connections are replaced by new ones. A
// URL that can't be used is logged, and the old one stays in use. RenewURL does nothing on SQLite.
func (s *Store) RenewURL(ctx context.Context) {
	if s.servers == nil || s.servers.options.Renew == nil {
		return
	}
	if s.servers.renewNow(ctx) {
		s.servers.doubt()
	}
}
