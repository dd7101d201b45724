// Package flowlatch is the root of the module github.com/flowlatch/flowlatch, which keeps the
// API keys of a team's Voiceflow assistants and lets people and programs use those assistants
// without ever holding a key. The package itself is empty. A program that imports the module
// takes these packages:
//
//   - app has the use cases. app.Open checks a database and its keyset, and returns a Service.
//   - adapters/ginhttp mounts the routes into a router of gin.
//   - adapters/console has the pages of the console and the chat. They are mounted if
//     ginhttp.Options.Pages is what console.New returns.
//   - adapters/bunstore keeps everything in PostgreSQL or SQLite.
//   - adapters/tinkcipher seals the Voiceflow keys with a keyset.
//   - adapters/voiceflow is the client of Voiceflow.
//   - ports has the interfaces that these adapters implement, and ports/portstest has a suite
//     for each of them.
//   - domain has the rules.
//
// The example is a whole program: a gin server with a login of its own.
package flowlatch
