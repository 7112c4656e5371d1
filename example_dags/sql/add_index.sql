IF OBJECT_ID(N'dbo.Orders') IS NULL
    CREATE TABLE dbo.Orders (id int NOT NULL, customer int NOT NULL);
GO
IF NOT EXISTS (SELECT * FROM sys.indexes WHERE name = N'IX_Orders_customer')
    CREATE INDEX IX_Orders_customer ON dbo.Orders (customer);
