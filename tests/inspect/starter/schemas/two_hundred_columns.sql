-- Spanish ERP with abbreviations, a header of 200 columns, keys of text, schema erp.
CREATE SCHEMA erp;
CREATE TABLE erp.gv_ped_cab (cod_emp char(3), num_ped char(10), cod_cli varchar(12) NOT NULL, fec_ped date NOT NULL, fec_mod timestamp, cod_div char(3), imp_portes numeric(12,2), imp_total numeric(12,2), est_ped char(2), fec_anul date, nom_env varchar(60), ape_env varchar(60), dir_env varchar(100), pob_env varchar(60), prov_env varchar(40), cp_env varchar(10), pais_env char(2), nom_fac varchar(60), dir_fac varchar(100), pob_fac varchar(60), cp_fac varchar(10), email varchar(100), tlf varchar(20), PRIMARY KEY (cod_emp, num_ped));
CREATE TABLE erp.gv_ped_lin (cod_emp char(3), num_ped char(10), num_lin int, cod_art varchar(20), des_art varchar(100), can_ped numeric(10,2), pre_uni numeric(12,4), dto numeric(5,2), imp_iva numeric(12,2), PRIMARY KEY (cod_emp, num_ped, num_lin));
CREATE TABLE erp.gv_alb_cab (cod_emp char(3), num_alb char(10), num_ped char(10), fec_alb date, PRIMARY KEY (cod_emp, num_alb));
CREATE TABLE erp.gv_alb_lin (cod_emp char(3), num_alb char(10), num_lin int, can_ser numeric(10,2), PRIMARY KEY (cod_emp, num_alb, num_lin));
CREATE TABLE erp.gv_clientes (cod_cli varchar(12) PRIMARY KEY, nom_cli varchar(60), ape_cli varchar(60), nif varchar(12), email varchar(100));
CREATE TABLE erp.gc_ped_cab (cod_emp char(3), num_ped char(10), cod_prov varchar(12), fec_ped date, PRIMARY KEY (cod_emp, num_ped));
CREATE TABLE erp.gc_ped_lin (cod_emp char(3), num_ped char(10), num_lin int, cod_art varchar(20), can_ped numeric, PRIMARY KEY (cod_emp, num_ped, num_lin));
CREATE TABLE erp.gg_articulos (cod_art varchar(20) PRIMARY KEY, des_art varchar(100));
DO $$
BEGIN
    FOR n IN 24..200 LOOP
        EXECUTE format('ALTER TABLE erp.gv_ped_cab ADD cpo_libre_%s varchar(40)', n);
    END LOOP;
END
$$;
