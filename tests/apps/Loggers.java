import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;

import org.lttng.ust.agent.context.ContextInfoManager;
import org.lttng.ust.agent.context.IContextInfoRetriever;
import org.lttng.ust.agent.jul.LttngLogHandler;
import org.lttng.ust.agent.log4j.LttngLogAppender;

/**
 * A program that logs what it is told, by java.util.logging or by log4j: {@code log LOGGER LEVEL MESSAGE}
 * on a line of its standard input. Each command is answered by a line that ends in 0 when it is done. The
 * application context {@code $app.prov:last} is the message before.
 */
public final class Loggers {
    private static volatile String last = "none";

    /** Logs a message by the name of its level. */
    private interface Log {
        void log(String logger, String level, String message);
    }

    /** Loggers live as long as somebody holds them. */
    private static final Map<String, Logger> HELD = new HashMap<>();

    private static Log jul() throws Exception {
        LttngLogHandler handler = new LttngLogHandler();
        for (String name : new String[] {"app", "lib", "lib.io"}) {
            Logger logger = Logger.getLogger(name);
            logger.setLevel(Level.ALL);
            logger.setUseParentHandlers(false);
            logger.addHandler(handler);
            HELD.put(name, logger);
        }
        return (logger, level, message) -> HELD.get(logger).log(Level.parse(level), message);
    }

    private static Log log4j() throws Exception {
        LttngLogAppender appender = new LttngLogAppender();
        for (String name : new String[] {"app", "lib", "lib.io"}) {
            org.apache.log4j.Logger logger = org.apache.log4j.Logger.getLogger(name);
            logger.setLevel(org.apache.log4j.Level.ALL);
            logger.setAdditivity(false);
            logger.addAppender(appender);
        }
        return (logger, level, message) -> org.apache.log4j.Logger.getLogger(logger)
                .log(org.apache.log4j.Level.toLevel(level), message);
    }

    public static void main(String[] arguments) throws Exception {
        IContextInfoRetriever retriever = key -> key.equals("last") ? last : null;
        ContextInfoManager.getInstance().registerContextInfoRetriever("prov", retriever);
        Log log = arguments[0].equals("log4j") ? log4j() : jul();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("log")) {
                log.log(words[1], words[2], words[3]);
                last = words[3];
            }
            System.out.println(words[0] + " 0");
        }
        // Threads of the agent go on by themselves.
        System.exit(0);
    }
}
