//go:build wireinject

package main

import (
	"context"
	"log/slog"

	"github.com/google/wire"

	"github.com/flowlatch/flowlatch/adapters/argon2"
	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/webhook"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/ports"
)

// openSite is the whole graph: what serve and demo serve, and what the commands work
// with. The function closes it.
func openSite(ctx context.Context, cfg config.Config, tell say, log *slog.Logger) (Site, func(), error) {
	wire.Build(
		newClock, newRandom,
		openStore,
		storePorts,
		newCipher, wire.Bind(new(ports.Cipher), new(*tinkcipher.Cipher)), wire.Bind(new(ports.Keyring), new(*tinkcipher.Cipher)),
		tinkcipher.NewPseudonyms, wire.Bind(new(ports.Pseudonyms), new(*tinkcipher.Pseudonyms)),
		newVoiceflow, wire.Bind(new(ports.Voiceflow), new(*voiceflow.Client)),
		newPasswords, wire.Bind(new(ports.PasswordHasher), new(*argon2.Hasher)),
		newAttempts, wire.Bind(new(ports.Attempts), new(*throttle.Attempts)),
		newProvider, newAuditFiles,
		wire.Struct(new(app.Logins), "*"),
		newWebhooks, wire.Bind(new(ports.WebhookSender), new(*webhook.Sender)),
		newUserRates, wire.Bind(new(ports.UserRates), new(*throttle.Users)),
		newHeldMemory, wire.Bind(new(ports.HeldMemory), new(*throttle.HeldMemory)),
		newRates, wire.Bind(new(ports.CallRates), new(*throttle.Calls)),
		newOpenCalls, wire.Bind(new(ports.OpenCalls), new(*throttle.OpenCalls)),
		wire.Struct(new(app.Ports), "*"), newOptions, app.Open,
		newEngine, wire.Struct(new(Site), "*"),
	)
	return Site{}, nil, nil
}
