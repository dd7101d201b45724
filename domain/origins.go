package domain

// Origins are the origins of Voiceflow's services, one for each of Services. Keys are sent to them
// and nowhere else.
type Origins map[Service]Origin

// API returns the origin of ServiceAPI. Keys are bound to it.
func (o Origins) API() Origin { return o[ServiceAPI] }

// Complete reports whether o has an origin for each service.
func (o Origins) Complete() bool {
	for _, s := range Services() {
		if o[s] == "" {
			return false
		}
	}
	return true
}

// Changed lists the services whose origin in to is another one, in the order of Services.
func (o Origins) Changed(to Origins) []Service {
	var changed []Service
	for _, s := range Services() {
		if o[s] != to[s] {
			changed = append(changed, s)
		}
	}
	return changed
}
