// A subscriber without our library that misses nothing and applies nothing twice.
//
//   apt install g++ libzmq3-dev nlohmann-json3-dev
//   g++ -std=c++17 docs/subscriber.cpp -lzmq -o subscriber && ./subscriber cursor.json
//
// What it takes: (1) subscribe first, then ask the log for everything after the cursor; (2) apply an
// event only if its seq is cursor + 1; (3) on anything else ask the log for the pages after the
// cursor; (4) keep the cursor durably after applying; (5) ask also when a heartbeat's head is ahead,
// and when nothing at all has come for a second; (6) another stream_id is another log: begin at 0.
#include <zmq.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using json = nlohmann::json;
using Parts = std::vector<std::string>;

static Parts receive(void *socket) {
    Parts parts;
    int more = 1;
    size_t size = sizeof more;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        zmq_msg_recv(&part, socket, 0);
        parts.emplace_back(static_cast<char *>(zmq_msg_data(&part)), zmq_msg_size(&part));
        zmq_msg_close(&part);
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    }
    return parts;
}

static bool wait_for(void *socket, long ms) {
    zmq_pollitem_t item{socket, 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, ms) > 0;
}

struct Subscriber {
    void *context = zmq_ctx_new(), *asking = nullptr;
    std::string replay, path, stream;
    long long seq = 0;

    void apply(const json &header) {  // here the part is rejected, or let pass
        if (header["kind"] == "inspection")
            std::cout << header["seq"] << " " << header["trigger_id"] << " "
                      << header["verdict"].get<std::string>() << std::endl;
        seq = header["seq"];
        std::ofstream part(path + ".part");
        part << json{{"stream_id", stream}, {"seq", seq}};
        part.close();
        if (!part || std::rename((path + ".part").c_str(), path.c_str()))  // the old or the new one
            std::cerr << "the cursor cannot be kept: free space on the disk" << std::endl, std::exit(1);
    }

    void connect_asking() {  // a fresh socket: an answer that comes too late must not be read
        if (asking) zmq_close(asking);
        int linger = 0;
        asking = zmq_socket(context, ZMQ_DEALER);
        zmq_setsockopt(asking, ZMQ_LINGER, &linger, sizeof linger);
        zmq_connect(asking, replay.c_str());
    }

    void ask() {  // page by page, until the cursor is at the head
        for (;;) {
            std::string request = json{{"request", "page"}, {"after", seq}, {"limit", 200}}.dump();
            zmq_send(asking, request.data(), request.size(), 0);
            if (!wait_for(asking, 2000)) return connect_asking();  // try again at the next message
            Parts parts = receive(asking);
            json page = json::parse(parts[0], nullptr, false);
            if (page.value("reply", "") != "page") return;
            if (page["stream_id"] != stream) {
                bool fresh = seq == 0;
                stream = page["stream_id"], seq = 0;
                if (!fresh) continue;
            }
            for (size_t i = 1; i + 2 < parts.size(); i += 3) {
                json header = json::parse(parts[i + 1]);
                if (header["seq"] != seq + 1)
                    std::cerr << "events after " << seq << " are gone: they were trimmed" << std::endl;
                apply(header);
            }
            if (page["head"] < seq) seq = page["head"];  // the log was restored from a copy
            if (seq >= page["head"]) return;
        }
    }

    void run(const std::string &endpoint) {
        void *live = zmq_socket(context, ZMQ_SUB);
        zmq_setsockopt(live, ZMQ_SUBSCRIBE, "", 0);
        zmq_connect(live, endpoint.c_str());
        connect_asking();
        ask();
        for (;;) {
            if (!wait_for(live, 1000)) {  // silence: stop the line if it lasts longer than 2 s
                ask();
                continue;
            }
            json header = json::parse(receive(live)[1], nullptr, false);
            bool heartbeat = header["kind"] == "heartbeat";
            long long newest = heartbeat ? header["head"] : header["seq"];
            if (header["stream_id"] == stream && newest <= seq) continue;  // a repeat
            if (!heartbeat && header["stream_id"] == stream && newest == seq + 1)
                apply(header);
            else
                ask();
        }
    }
};

int main(int count, char **words) {
    Subscriber one;
    one.path = count > 1 ? words[1] : "cursor.json";
    std::string endpoint = count > 2 ? words[2] : "tcp://127.0.0.1:5570";
    one.replay = count > 3 ? words[3] : "tcp://127.0.0.1:5571";
    if (std::ifstream kept{one.path}) {
        json cursor = json::parse(kept);
        one.stream = cursor["stream_id"], one.seq = cursor["seq"];
    }
    one.run(endpoint);
}
